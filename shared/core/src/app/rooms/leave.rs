//! Leaving a room: here at once, on the homeserver as soon as it can be done.

use std::time::Duration;

use futures::future;

use crate::{
    app::rooms::Rooms,
    domain::{
        error::{Error, Failure, Result},
        id::RoomId,
        room::RoomKind,
        user::Caller,
    },
    port::PendingLeave,
};

/// Time that one worker may take for a pending leave before another may try.
const LEASE: Duration = Duration::from_mins(1);

/// The most pending leaves that a worker claims at once.
const BATCH: i64 = 8;

impl Rooms {
    /// Takes the caller out of a room: here at once, on the homeserver as soon as it can be done.
    pub async fn leave(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let key = self.own_room(caller, room).await?;
        if key.is_direct() || key.kind == RoomKind::General {
            let detail = "direct chats and the room of everybody cannot be left".into();
            return Err(Error::Conflict { code: "room_cannot_be_left", detail, retry_after: None });
        }
        self.pending_leaves.leave(caller.user.tenant(), room, caller.user.id()).await
    }

    /// Lets users leave rooms on the homeserver that they are out of here. Returns how many it took.
    pub async fn leave_due(&self) -> Result<usize> {
        let due = self.pending_leaves.claim(LEASE, BATCH).await?;
        let results =
            future::join_all(due.iter().map(|pending_leave| self.leave_on_homeserver(pending_leave))).await;
        for (pending_leave, result) in due.iter().zip(results) {
            if let Err(error) = result {
                if error.failure() == Some(Failure::Rejected) {
                    tracing::warn!(user = %pending_leave.user, room = %pending_leave.room, error = &error as &dyn std::error::Error, "the homeserver lets nobody leave: given up");
                    self.pending_leaves.done(pending_leave).await?;
                    continue;
                }
                tracing::warn!(user = %pending_leave.user, room = %pending_leave.room, error = &error as &dyn std::error::Error, "leaving is postponed");
                self.pending_leaves.postpone(pending_leave).await?;
            }
        }
        Ok(due.len())
    }

    async fn leave_on_homeserver(&self, pending_leave: &PendingLeave) -> Result<()> {
        let user = self.ids.of_localpart(&pending_leave.localpart);
        self.membership_calls.leave(&pending_leave.room, &user).await?;
        if !self.pending_leaves.done(pending_leave).await? {
            // They came back in the same moment.
            self.homeserver.join(&pending_leave.room, &user).await?;
        }
        Ok(())
    }
}
