//! The search in messages, in memory.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    id::{EventId, HubUserId, MatrixUserId, RoomId, SearchPosition, TenantId},
    port::{IngestedEvent, MessageSearch},
    search::{FoundMessage, FoundMessages, MessageQuery, fold},
};

use super::{Memory, State};

/// The texts of messages in the order of their arrival, and the number of all so far.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<StoredText>,
    arrived: i64,
}

/// The text of a message, before its edits.
struct StoredText {
    position: SearchPosition,
    tenant: TenantId,
    room: RoomId,
    event_id: EventId,
    sender: MatrixUserId,
    timestamp: Timestamp,
    received_at: Timestamp,
    text: String,
}

#[async_trait]
impl MessageSearch for Memory {
    async fn search(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        query: &MessageQuery,
    ) -> Result<Option<FoundMessages>> {
        self.act("searching messages", |state| {
            if query.room.as_ref().is_some_and(|room| !state.is_member_of_current(tenant, user, room)) {
                return None;
            }
            let rows = state.texts.rows.iter().rev().filter(|row| state.finds(tenant, user, query, row));
            let mut found: Vec<_> = rows.map(|row| (row.position, state.found(row))).collect();
            found.retain(|(_, message)| query.terms.are_in(&fold(&message.text)));
            let limit = usize::try_from(query.limit).unwrap_or_default();
            let is_last = found.len() <= limit;
            found.truncate(limit);
            let next_before = found.last().map(|(position, _)| *position).filter(|_| !is_last);
            let messages = found.into_iter().map(|(_, message)| message).collect();
            Some(FoundMessages { messages, next_before })
        })
        .await
    }

    async fn tidy(&self, retention: Duration) -> Result<()> {
        self.act("tidying the search", |state| {
            let first = state.now - retention;
            state.texts.rows.retain(|row| row.received_at >= first);
        })
        .await
    }
}

impl Table {
    pub(super) fn store(&mut self, event: &IngestedEvent, text: &str, now: Timestamp) {
        self.arrived += 1;
        self.rows.push(StoredText {
            position: SearchPosition(self.arrived),
            tenant: event.tenant,
            room: event.room.clone(),
            event_id: event.event_id.clone(),
            sender: event.sender.clone(),
            timestamp: event.timestamp,
            received_at: now,
            text: text.to_owned(),
        });
    }

    pub(super) fn redact(&mut self, room: &RoomId, of: &EventId) {
        self.rows.retain(|row| row.room != *room || row.event_id != *of);
    }
}

impl State {
    fn is_member_of_current(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> bool {
        let current = self.records.current(room).clone();
        self.members.contains_key(&(tenant, user.clone(), current))
    }

    /// Returns whether a user finds this message, if it has the words.
    fn finds(&self, tenant: TenantId, user: &HubUserId, query: &MessageQuery, row: &StoredText) -> bool {
        row.tenant == tenant
            && self.is_member_of_current(tenant, user, &row.room)
            && self.may_see(tenant, user, &row.room, &row.event_id)
            && query.before.is_none_or(|before| row.position < before)
            && query.sender.as_ref().is_none_or(|sender| row.sender == *sender)
            && query
                .room
                .as_ref()
                .is_none_or(|room| row.room == *room || self.records.current(&row.room) == room)
    }

    fn found(&self, row: &StoredText) -> FoundMessage {
        FoundMessage {
            event_id: row.event_id.clone(),
            room: row.room.clone(),
            current_room: self.records.current(&row.room).clone(),
            sender: row.sender.clone(),
            timestamp: row.timestamp,
            text: self.conversation.edited_text(&row.event_id).unwrap_or_else(|| row.text.clone()),
        }
    }
}
