//! Ends memberships: here at once, on the homeserver by a pending leave.

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
    /// Ends the caller's membership of a room, and stores a pending leave for the homeserver.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn leave(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let key = self.own_room(caller, room).await?;
        if key.is_direct() || key.kind == RoomKind::General {
            let detail = "direct chats and the room of everybody cannot be left".into();
            return Err(Error::Conflict { code: "room_cannot_be_left", detail, retry_after: None });
        }
        self.pending_leaves.leave(caller.user.tenant(), room, caller.user.id()).await
    }

    /// Carries out pending leaves on the homeserver. Returns the number of claimed ones.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn leave_due(&self) -> Result<usize> {
        let due = self.pending_leaves.claim(LEASE, BATCH).await?;
        let results =
            future::join_all(due.iter().map(|pending_leave| self.leave_on_homeserver(pending_leave))).await;
        for (pending_leave, result) in due.iter().zip(results) {
            if let Err(error) = result {
                if error.failure() == Some(Failure::Rejected) {
                    tracing::warn!(
                        user = %pending_leave.user,
                        room = %pending_leave.room,
                        error = &error as &dyn std::error::Error,
                        "pending leave rejected by the homeserver: given up"
                    );
                    self.pending_leaves.done(pending_leave).await?;
                    continue;
                }
                tracing::warn!(
                    user = %pending_leave.user,
                    room = %pending_leave.room,
                    error = &error as &dyn std::error::Error,
                    "pending leave postponed"
                );
                self.pending_leaves.postpone(pending_leave).await?;
            }
        }
        Ok(due.len())
    }

    /// Carries out a pending leave on the homeserver.
    async fn leave_on_homeserver(&self, pending_leave: &PendingLeave) -> Result<()> {
        let user = self.ids.of_localpart(&pending_leave.localpart);
        self.membership_calls.leave(&pending_leave.room, &user).await?;
        if self.pending_leaves.done(pending_leave).await?.is_lost() {
            // The user has joined again in the meantime.
            self.membership_calls.join(&pending_leave.room, &user).await?;
        }
        Ok(())
    }
}
