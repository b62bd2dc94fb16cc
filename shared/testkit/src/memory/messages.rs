//! What is kept of conversations, in memory.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    event::{Audience, NewEvent},
    id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
    media::{File, Mxc, Posted},
    message::Said,
    port::{Edit, Fact, Messages, Taken},
    user::User,
};

use super::{Memory, State};

#[derive(Default)]
pub(super) struct Table {
    files: HashMap<EventId, (TenantId, RoomId, File)>,
    edits: HashMap<(EventId, MatrixUserId), (Timestamp, Said)>,
    pub(super) summaries: HashMap<RoomId, Summary>,
}

/// What a list of rooms shows of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many messages there are.
    pub count: i64,
    /// The last one.
    pub last: Option<String>,
    /// Its id.
    pub(super) last_event: Option<EventId>,
    /// When it was said.
    pub at: Option<Timestamp>,
    /// The name that the room was given.
    pub name: String,
    /// Its topic.
    pub topic: String,
}

impl Memory {
    /// What a list of rooms would show of a room.
    pub fn summary(&self, room: &RoomId) -> Summary {
        self.state().conversation.summaries.get(room).cloned().unwrap_or_default()
    }

    /// How many messages of a room the user has not read.
    pub fn unread(&self, room: &RoomId, user: &HubUserId) -> i64 {
        let state = self.state();
        let read = state.members.iter().find(|((_, member, of), _)| member == user && of == room);
        state.said(room) - read.map_or(0, |(_, read)| *read)
    }
}

#[async_trait]
impl Messages for Memory {
    async fn take_in(&self, events: &[Taken]) -> Result<usize> {
        self.act("taking events in", |state| events.iter().filter(|event| state.take_in(event)).count()).await
    }

    async fn is_taken_in(&self, event: &EventId) -> Result<bool> {
        self.act("looking for an event", |state| state.log.knows(event)).await
    }

    async fn is_member(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<bool> {
        self.act("looking for a member", |state| {
            state.members.contains_key(&(tenant, user.clone(), room.clone()))
        })
        .await
    }

    async fn edits(&self, of: &[EventId]) -> Result<Vec<Edit>> {
        self.act("reading edits", |state| {
            let edits = state.conversation.edits.iter().filter(|((id, _), _)| of.contains(id));
            edits
                .map(|((of, by), (_, said))| Edit { of: of.clone(), by: by.clone(), said: said.clone() })
                .collect()
        })
        .await
    }

    async fn people(&self, localparts: &[String]) -> Result<Vec<User>> {
        self.act("finding users", |state| {
            state.all_users().filter(|user| localparts.contains(&user.localpart)).cloned().collect()
        })
        .await
    }

    async fn posted(&self, tenant: TenantId, user: &HubUserId, file: &Mxc) -> Result<Option<Posted>> {
        self.act("looking for a file", |state| {
            let mut files = state.conversation.files.values();
            let (_, _, file) = files.find(|(of, room, posted)| {
                *of == tenant
                    && posted.mxc == *file
                    && state.members.contains_key(&(tenant, user.clone(), room.clone()))
            })?;
            Some(Posted { filename: file.filename.clone(), mimetype: file.mimetype.clone() })
        })
        .await
    }
}

impl State {
    /// How many messages a room has.
    pub(super) fn said(&self, room: &RoomId) -> i64 {
        self.conversation.summaries.get(room).map_or(0, |summary| summary.count)
    }

    fn take_in(&mut self, event: &Taken) -> bool {
        if !self.log.know(self.now, &event.event_id) {
            return false;
        }
        let (tenant, room) = (event.tenant, event.room.clone());
        match &event.fact {
            Fact::Message { by, summary, file } => self.count(event, by.as_ref(), summary, file.as_ref()),
            Fact::Edited { of, by, said } => {
                let edit = self.conversation.edits.entry((of.clone(), by.clone()));
                let edit = edit.or_insert((event.timestamp, said.clone()));
                if edit.0 <= event.timestamp {
                    *edit = (event.timestamp, said.clone());
                }
                self.reword(&room, of, Some(said.summary()));
            }
            Fact::Redacted { of } => {
                self.conversation.files.remove(of);
                self.conversation.edits.retain(|(edited, _), _| edited != of);
                self.reword(&room, of, None);
            }
            Fact::Reaction => {}
            Fact::Joined(user) => self.add_member(tenant, &room, user),
            Fact::Left(user) => self.remove_member(tenant, &room, user),
            Fact::Named(name) => self.conversation.summaries.entry(room).or_default().name.clone_from(name),
            Fact::Topic(topic) => {
                self.conversation.summaries.entry(room).or_default().topic.clone_from(topic);
            }
        }
        if let (Some(kind), Some(payload)) = (event.fact.kind(), event.told.clone()) {
            let audience = Audience::Room(tenant, event.room.clone());
            self.log.append(self.now, None, &NewEvent { audience, kind, payload, key: None });
        }
        true
    }

    fn count(&mut self, event: &Taken, by: Option<&HubUserId>, line: &str, file: Option<&File>) {
        let summary = self.conversation.summaries.entry(event.room.clone()).or_default();
        summary.count += 1;
        if summary.at.is_none_or(|at| at <= event.timestamp) {
            summary.last = Some(line.to_owned());
            summary.last_event = Some(event.event_id.clone());
            summary.at = Some(event.timestamp);
        }
        if let Some(user) = by {
            let member = (event.tenant, user.clone(), event.room.clone());
            if let Some(read) = self.members.get_mut(&member) {
                *read = summary.count;
            }
        }
        if let Some(file) = file {
            let posted = (event.tenant, event.room.clone(), file.clone());
            self.conversation.files.insert(event.event_id.clone(), posted);
        }
    }

    fn reword(&mut self, room: &RoomId, of: &EventId, line: Option<String>) {
        let summary = self.conversation.summaries.get_mut(room);
        if let Some(summary) = summary.filter(|summary| summary.last_event.as_ref() == Some(of)) {
            summary.last = line;
        }
    }
}
