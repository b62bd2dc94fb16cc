//! Read receipts and typing notifications in memory.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    Result,
    error::Failure,
    id::{EventId, MatrixUserId, RoomId},
    port::EphemeralEvents,
    typing::Typing,
};

use super::{MemoryHomeserver, State};

#[async_trait]
impl EphemeralEvents for MemoryHomeserver {
    async fn mark_read(&self, room: &RoomId, user: &MatrixUserId, event: &EventId) -> Result<()> {
        self.call("marking a room as read", |state| {
            state.act_as(user);
            state.read.push((room.clone(), user.clone(), event.clone()));
            Ok(())
        })
        .await
    }

    async fn set_typing(&self, room: &RoomId, user: &MatrixUserId, timeout: Option<Duration>) -> Result<()> {
        self.call("setting typing", |state| {
            state.act_as(user);
            if !state.rooms.get(room).is_some_and(|room| room.members.contains(user)) {
                return Err(Failure::Rejected);
            }
            let typing = state.typing.entry(room.clone()).or_default();
            match timeout {
                Some(timeout) => typing.insert(user.clone(), timeout),
                None => typing.remove(user),
            };
            state.typing_changed.insert(room.clone());
            Ok(())
        })
        .await
    }
}

impl State {
    /// Returns the typing changes since the last sync.
    pub(super) fn typing_changes(&mut self) -> Vec<Typing> {
        let changed = std::mem::take(&mut self.typing_changed);
        let typing = changed.into_iter().map(|room| {
            let users = self.typing.get(&room).into_iter().flat_map(BTreeMap::keys).cloned().collect();
            Typing { room, users }
        });
        typing.collect()
    }
}
