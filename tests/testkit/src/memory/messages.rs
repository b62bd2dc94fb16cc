//! Conversations in memory.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    admin::{Administrator, Redaction},
    event::{
        Audience, NewEvent,
        payload::{EventPayload, Unread},
    },
    id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
    media::{File, Mxc, Posted},
    message::{Mentions, MessageContent, REACTION_KEY_MAX, ReactionCount},
    port::{Change, Edit, IngestedEvent, Messages, NewReaction, RedactedEdit},
};

use super::{Memory, State, redactions};

/// The most that a message's timestamp may be ahead of the clock.
const AHEAD_MAX: Duration = Duration::from_hours(24);

#[derive(Default)]
pub(super) struct Table {
    files: HashMap<EventId, Posting>,
    owners: HashMap<Mxc, Owner>,
    edits: BTreeMap<EventId, StoredEdit>,
    mentions: HashMap<EventId, Mentions<HubUserId>>,
    /// The redactions in the audit log: the administrator and the message.
    recorded_redactions: Vec<(HubUserId, EventId)>,
    /// In the order of their arrival.
    reactions: Vec<StoredReaction>,
    /// The count of arrivals at each event.
    pub(super) arrived: HashMap<EventId, u64>,
    pub(super) summaries: HashMap<RoomId, Summary>,
    pub(super) redacted: redactions::Table,
    /// The number of messages and new rooms so far.
    arrivals: u64,
}

/// A message with a file.
struct Posting {
    tenant: TenantId,
    room: RoomId,
    sender: MatrixUserId,
    file: File,
}

/// The owner of a file.
struct Owner {
    user: MatrixUserId,
    /// The timestamp of the message that made them the owner; `None` if the upload itself is known.
    since: Option<Timestamp>,
}

struct StoredReaction {
    id: EventId,
    room: RoomId,
    of: EventId,
    by: MatrixUserId,
    key: String,
}

struct StoredEdit {
    room: RoomId,
    of: EventId,
    by: MatrixUserId,
    at: Timestamp,
    content: MessageContent,
}

/// The fields of a room that the room list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number of messages.
    pub count: i64,
    /// The text of the last message.
    pub last: Option<String>,
    /// The id of the last message.
    pub(super) last_event: Option<EventId>,
    /// All messages in the order of their arrival, with their first text.
    messages: Vec<(EventId, String)>,
    /// The count of arrivals at the last message.
    pub(super) activity: u64,
    /// The timestamp of the last message.
    pub at: Option<Timestamp>,
    /// The room's name.
    pub name: String,
    /// The room's topic.
    pub topic: String,
}

impl Memory {
    /// Returns a room's summary.
    pub fn summary(&self, room: &RoomId) -> Summary {
        self.state().conversation.summaries.get(room).cloned().unwrap_or_default()
    }

    /// Returns the administrators and messages of the redactions in the audit log.
    pub fn recorded_redactions(&self) -> Vec<(HubUserId, EventId)> {
        self.state().conversation.recorded_redactions.clone()
    }

    /// Returns the number of messages of a room that a user has not read.
    pub fn unread(&self, room: &RoomId, user: &HubUserId) -> i64 {
        let state = self.state();
        let read = state.members.iter().find(|((_, member, of), _)| member == user && of == room);
        state.message_count(room) - read.map_or(0, |(_, read)| *read)
    }
}

#[async_trait]
impl Messages for Memory {
    async fn ingest(&self, events: &[IngestedEvent]) -> Result<usize> {
        self.act("ingesting events", |state| events.iter().filter(|event| state.ingest(event)).count()).await
    }

    async fn is_ingested(&self, event: &EventId) -> Result<bool> {
        self.act("looking for an event", |state| state.log.knows(event)).await
    }

    async fn edits(&self, of: &[EventId]) -> Result<Vec<Edit>> {
        self.act("reading edits", |state| {
            last_of_each(state.conversation.in_order(|edit| of.contains(&edit.of)))
        })
        .await
    }

    async fn edits_in(&self, room: &RoomId, most: u32) -> Result<Option<Vec<Edit>>> {
        self.act("reading the edits of a room", |state| {
            let edits = state.conversation.in_order(|edit| edit.room == *room);
            let are_few = u32::try_from(edits.len()).is_ok_and(|count| count <= most);
            are_few.then(|| last_of_each(edits))
        })
        .await
    }

    async fn without(
        &self,
        _tenant: TenantId,
        room: &RoomId,
        edit: &EventId,
    ) -> Result<Option<RedactedEdit>> {
        self.act("looking for an edit", |state| {
            let redacted = state.conversation.edits.get(edit).filter(|redacted| redacted.room == *room)?;
            let others =
                state.conversation.in_order(|other| other.of == redacted.of && other.by == redacted.by);
            let last = others.into_iter().rfind(|(id, _)| *id != edit);
            let last = last.map(|(id, other)| (id.clone(), other.content.clone()));
            Some(RedactedEdit { of: redacted.of.clone(), last })
        })
        .await
    }

    async fn reactions(
        &self,
        of: &[(RoomId, EventId)],
        reader: &MatrixUserId,
        most: u32,
    ) -> Result<Vec<(EventId, ReactionCount)>> {
        self.act("reading reactions", |state| {
            let of = of.iter().flat_map(|(room, message)| {
                let mut keys: Vec<(&str, BTreeSet<&MatrixUserId>)> = Vec::new();
                let reactions = state.conversation.reactions.iter();
                for one in reactions.filter(|one| one.room == *room && one.of == *message) {
                    match keys.iter_mut().find(|(key, _)| *key == one.key) {
                        Some((_, users)) => drop(users.insert(&one.by)),
                        None => keys.push((&one.key, BTreeSet::from([&one.by]))),
                    }
                }
                keys.sort_by_key(|(_, users)| Reverse(users.len()));
                let counts = keys.into_iter().take(most as usize).map(|(key, users)| ReactionCount {
                    key: key.to_owned(),
                    count: i64::try_from(users.len()).expect("few users"),
                    is_own: users.contains(reader),
                });
                counts.map(|count| (message.clone(), count)).collect::<Vec<_>>()
            });
            of.collect()
        })
        .await
    }

    async fn reactions_of(&self, reaction: NewReaction<'_>) -> Result<Vec<EventId>> {
        let NewReaction { room, of, sender, key } = reaction;
        self.act("finding a reaction", |state| {
            let own = state
                .conversation
                .reactions
                .iter()
                .filter(|one| one.room == *room && one.of == *of && one.by == *sender && one.key == key);
            own.map(|one| one.id.clone()).collect()
        })
        .await
    }

    async fn record_redaction(&self, administrator: &Administrator, redaction: Redaction<'_>) -> Result<()> {
        self.act("recording a redaction", |state| {
            let (actor, message) = (administrator.actor.clone(), redaction.message.clone());
            state.conversation.recorded_redactions.push((actor, message));
        })
        .await
    }

    async fn own(&self, file: &Mxc, owner: &MatrixUserId) -> Result<()> {
        let owner = Owner { user: owner.clone(), since: None };
        self.act("storing the uploader of a file", |state| {
            state.conversation.owners.insert(file.clone(), owner);
        })
        .await
    }

    async fn posted(&self, tenant: TenantId, user: &HubUserId, file: &Mxc) -> Result<Option<Posted>> {
        self.act("looking for a file", |state| {
            let mut files = state.conversation.files.iter();
            let owner = state.conversation.owners.get(file)?;
            let (_, posting) = files.find(|(event, posting)| {
                posting.tenant == tenant
                    && posting.file.mxc == *file
                    && posting.sender == owner.user
                    && state.may_see(tenant, user, &posting.room, event)
            })?;
            let File { filename, mimetype, .. } = posting.file.clone();
            Some(Posted { filename, mimetype })
        })
        .await
    }
}

/// Returns the last edit of each message by each sender; the edits come in order.
fn last_of_each(edits: Vec<(&EventId, &StoredEdit)>) -> Vec<Edit> {
    let edits = edits.into_iter().map(|(_, edit)| ((edit.of.clone(), edit.by.clone()), edit.content.clone()));
    edits.collect::<HashMap<_, _>>().into_iter().map(|((of, by), content)| Edit { of, by, content }).collect()
}

impl Summary {
    /// Returns the message at this place; `None` for 0.
    pub(super) fn message_at(&self, place: i64) -> Option<EventId> {
        let index = usize::try_from(place).ok()?.checked_sub(1)?;
        self.messages.get(index).map(|(event, _)| event.clone())
    }

    /// Returns the number of messages up to the latest of these; `None` if none of them is known.
    pub(super) fn place(&self, of: &[EventId]) -> Option<i64> {
        let place = self.messages.iter().rposition(|(event, _)| of.contains(event))?;
        i64::try_from(place + 1).ok()
    }
}

impl State {
    /// Returns the number of messages after the first `read` ones that mention a user.
    pub(super) fn mention_count(&self, user: &HubUserId, room: &RoomId, read: i64) -> i64 {
        let summary = self.conversation.summaries.get(room);
        let messages = summary.into_iter().flat_map(|summary| &summary.messages);
        let unread = messages.skip(usize::try_from(read).expect("a place"));
        let mentions = unread.filter_map(|(event, _)| self.conversation.mentions.get(event));
        let count = mentions.filter(|mentions| mentions.room || mentions.users.contains(user)).count();
        i64::try_from(count).expect("few messages")
    }

    /// Returns the number of messages of a room.
    pub(super) fn message_count(&self, room: &RoomId) -> i64 {
        self.conversation.summaries.get(room).map_or(0, |summary| summary.count)
    }

    fn ingest(&mut self, event: &IngestedEvent) -> bool {
        if !self.log.remember(self.now, &event.event_id) {
            return false;
        }
        self.arrived += 1;
        self.conversation.arrived.insert(event.event_id.clone(), self.arrived);
        let (tenant, room) = (event.tenant, event.room.clone());
        let targets = match &event.change {
            Change::Message { .. } => vec![&event.event_id],
            Change::Edited { of, .. } | Change::Reaction { of, .. } => vec![&event.event_id, of],
            _ => Vec::new(),
        };
        if targets.into_iter().any(|id| self.conversation.redacted.holds(&room, id)) {
            return true;
        }
        let (mut reader, mut about, mut payload) = (None, event.event_id.clone(), event.payload.clone());
        match &event.change {
            Change::Message { by, summary, mentions, text, .. } => {
                if let Some(text) = text {
                    self.texts.store(event, text, self.now);
                }
                self.conversation.mentions.insert(event.event_id.clone(), mentions.clone());
                let had_unread = self.count(event, by.as_ref(), summary);
                reader = by.as_ref().filter(|_| had_unread);
            }
            Change::Edited { of, by, content } => {
                about.clone_from(of);
                let (of, by, at) = (of.clone(), by.clone(), event.timestamp);
                let edit = StoredEdit { room: room.clone(), of, by, at, content: content.clone() };
                self.conversation.edits.insert(event.event_id.clone(), edit);
                self.conversation.show_last(&room);
            }
            Change::Redacted { of } | Change::RedactedEdit { edit: of } => {
                let edited = self.conversation.edits.get(of).filter(|edit| edit.room == room);
                match edited.map(|edit| edit.of.clone()) {
                    Some(message) => about = message,
                    None => about.clone_from(of),
                }
                if about == *of && matches!(event.change, Change::RedactedEdit { .. }) {
                    payload = None;
                }
                self.conversation.redacted.note(self.now, &room, of);
                self.log.empty(tenant, &room, &about, of);
                self.texts.redact(&room, of);
                self.alarm_messages.redact(of);
                self.redact(&room, of);
            }
            Change::Reaction { of, key } => {
                if key.chars().count() <= REACTION_KEY_MAX {
                    let (id, of, key) = (event.event_id.clone(), of.clone(), key.clone());
                    let by = event.sender.clone();
                    self.conversation.reactions.push(StoredReaction { id, room, of, by, key });
                }
            }
            Change::Joined(user) => self.add_member(tenant, &room, user),
            Change::Left(user) => self.remove_member(tenant, &room, user),
            Change::Named(name) => self.conversation.summaries.entry(room).or_default().name.clone_from(name),
            Change::Topic(topic) => {
                self.conversation.summaries.entry(room).or_default().topic.clone_from(topic);
            }
        }
        if let Some(file) = event.change.file() {
            self.conversation.post(event, file);
        }
        if let Some(part) = &event.alarm {
            self.ingest_alarm_part(tenant, &event.room, &event.event_id, part);
        }
        if let (Some(kind), Some(payload)) = (event.change.kind(), payload) {
            let audience = Audience::Room(tenant, event.room.clone());
            let is_redaction = matches!(event.change, Change::Redacted { .. } | Change::RedactedEdit { .. });
            let new = NewEvent { audience, kind, room: Some(event.room.clone()), payload, key: None };
            self.log.append_about(self.now, &new, Some(about), is_redaction);
        }
        if let Some(user) = reader {
            let unread =
                EventPayload::Unread(Unread { room_id: &event.room, unread_count: 0, mention_count: 0 });
            self.publish_to_user(tenant, user, &unread);
        }
        true
    }

    fn redact(&mut self, room: &RoomId, of: &EventId) {
        // The messages of a room that was replaced are shown and counted in its successor.
        let shown_in = self.records.current(room).clone();
        if let Some(place) = self.conversation.redact(room, &shown_in, of) {
            let members = self.members.iter_mut();
            let members = members.filter(|((_, _, at), read)| *at == shown_in && **read >= place);
            members.for_each(|(_, read)| *read -= 1);
        }
    }

    /// Counts a message. Returns whether its sender had not read all messages before it.
    fn count(&mut self, event: &IngestedEvent, by: Option<&HubUserId>, line: &str) -> bool {
        let (activity, now) = (self.conversation.next_arrival(), self.now);
        let summary = self.conversation.summaries.entry(event.room.clone()).or_default();
        summary.count += 1;
        summary.activity = activity;
        summary.messages.push((event.event_id.clone(), line.to_owned()));
        summary.last = Some(line.to_owned());
        summary.last_event = Some(event.event_id.clone());
        // A timestamp that is far ahead is replaced by the present time.
        let is_ahead = event.timestamp > now + AHEAD_MAX;
        summary.at = summary.at.max(Some(if is_ahead { now } else { event.timestamp }));
        let member = by.map(|user| (event.tenant, user.clone(), event.room.clone()));
        let read = member.and_then(|member| self.members.get_mut(&member));
        read.is_some_and(|read| std::mem::replace(read, summary.count) + 1 < summary.count)
    }
}

impl Table {
    /// Returns the next count of arrivals.
    pub(super) fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    fn post(&mut self, event: &IngestedEvent, file: &File) {
        let (room, sender) = (event.room.clone(), event.sender.clone());
        let known = self.owners.get(&file.mxc);
        if known.is_none_or(|known| known.since.is_some_and(|since| event.timestamp < since)) {
            let owner = Owner { user: sender.clone(), since: Some(event.timestamp) };
            self.owners.insert(file.mxc.clone(), owner);
        }
        let posting = Posting { tenant: event.tenant, room, sender, file: file.clone() };
        self.files.insert(event.event_id.clone(), posting);
    }

    fn in_order(&self, which: impl Fn(&StoredEdit) -> bool) -> Vec<(&EventId, &StoredEdit)> {
        let mut edits: Vec<_> = self.edits.iter().filter(|(_, edit)| which(edit)).collect();
        edits.sort_by_key(|(_, edit)| edit.at);
        edits
    }

    /// Returns the text of a message after its last edit; `None` without edits.
    pub(super) fn edited_text(&self, of: &EventId) -> Option<String> {
        let edits = self.in_order(|edit| edit.of == *of);
        edits.last().map(|(_, edit)| edit.content.searched_text())
    }

    /// Removes a message or an edit. Returns the message's place in the room; `None` if it was no message.
    fn redact(&mut self, room: &RoomId, shown_in: &RoomId, of: &EventId) -> Option<i64> {
        let edits = &self.edits;
        let is_redacted =
            |event: &EventId| event == of || edits.get(event).is_some_and(|edit| edit.of == *of);
        self.files.retain(|event, posting| posting.room != *room || !is_redacted(event));
        self.reactions.retain(|one| one.room != *room || (one.of != *of && one.id != *of));
        self.edits.retain(|id, edit| edit.room != *room || (edit.of != *of && id != of));
        let summary = self.summaries.get_mut(shown_in)?;
        let place = summary.messages.iter().position(|(event, _)| event == of);
        if let Some(place) = place {
            summary.messages.remove(place);
            summary.count -= 1;
        }
        self.show_last(shown_in);
        i64::try_from(place? + 1).ok()
    }

    /// Updates the room's last message with its last edit.
    fn show_last(&mut self, room: &RoomId) {
        let last = self.summaries.get(room).and_then(|summary| summary.messages.last()).cloned();
        let line = last.as_ref().map(|(event, line)| {
            let edits = self.in_order(|edit| edit.of == *event);
            edits.last().map_or_else(|| line.clone(), |(_, edit)| edit.content.summary())
        });
        if let Some(summary) = self.summaries.get_mut(room) {
            summary.last_event = last.map(|(event, _)| event);
            summary.last = line;
        }
    }
}
