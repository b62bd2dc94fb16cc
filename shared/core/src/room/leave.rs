//! Leaving a room: here at once, on the homeserver as soon as it can be done.

use std::time::Duration;

use futures::future;

use super::RoomKind;
use crate::{Error, Hub, Result, error::Failure, id::RoomId, port::Departure, user::Caller};

/// How long one worker may take for a departure before another may try.
const LEASE: Duration = Duration::from_mins(1);
/// How many departures a worker takes at once.
const BATCH: i64 = 8;

impl Hub {
    /// Takes the caller out of a room: here at once, on the homeserver as soon as it can be done.
    pub async fn leave(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let key = self.own_room(caller, room).await?;
        if key.is_direct() || key.kind == RoomKind::General {
            let detail = "direct chats and the room of everybody cannot be left".into();
            return Err(Error::Conflict { code: "room_cannot_be_left", detail, retry_after: None });
        }
        self.departures.depart(caller.user.tenant(), room, caller.user.id()).await
    }

    /// Lets users leave rooms on the homeserver that they are out of here. Returns how many it took.
    pub async fn depart_due(&self) -> Result<usize> {
        let due = self.departures.claim(LEASE, BATCH).await?;
        let results = future::join_all(due.iter().map(|departure| self.depart(departure))).await;
        for (departure, result) in due.iter().zip(results) {
            if let Err(error) = result {
                if error.failure() == Some(Failure::Rejected) {
                    tracing::warn!(user = %departure.user, room = %departure.room, error = &error as &dyn std::error::Error, "the homeserver lets nobody leave: given up");
                    self.departures.done(departure).await?;
                    continue;
                }
                tracing::warn!(user = %departure.user, room = %departure.room, error = &error as &dyn std::error::Error, "leaving is postponed");
                self.departures.postpone(departure).await?;
            }
        }
        Ok(due.len())
    }

    async fn depart(&self, departure: &Departure) -> Result<()> {
        let user = self.matrix_id_of(&departure.localpart);
        self.attendance.leave(&departure.room, &user).await?;
        if !self.departures.done(departure).await? {
            // They came back in the same moment.
            self.homeserver.join(&departure.room, &user).await?;
        }
        Ok(())
    }
}
