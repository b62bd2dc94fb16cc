//! Power levels of rooms that earlier versions made: the worker corrects them, so that members may invite with any Matrix
//! client where they may invite here, and nobody but the bot encrypts or replaces a room.

use std::sync::Arc;

use crate::{
    domain::error::{Failure, Result},
    port::{self, Ports},
};

/// How many rooms are corrected at once.
const BATCH: i64 = 50;

/// Corrects power levels.
pub struct PowerLevels {
    room_records: Arc<dyn port::RoomRecords>,
    room_state: Arc<dyn port::RoomState>,
}

impl PowerLevels {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self { room_records: ports.room_records.clone(), room_state: ports.room_state.clone() }
    }

    /// Corrects the power levels of some rooms. Returns how many it took; 0 if none is left.
    pub async fn correct(&self) -> Result<usize> {
        let rooms = self.room_records.uncorrected(BATCH).await?;
        for (key, room) in &rooms {
            if key.is_made_here() {
                match self.room_state.correct_power_levels(room, key.members_invite()).await {
                    Ok(true) => {}
                    Ok(false) => tracing::info!(%room, "power levels not corrected: the bot lacks the power"),
                    // A room of which the homeserver knows nothing, or over which it fails, holds no other up.
                    Err(error) if matches!(error.failure(), Some(Failure::Rejected | Failure::Broken)) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::warn!(%room, error, "power levels not corrected");
                    }
                    Err(error) => return Err(error),
                }
            }
            self.room_records.corrected(room).await?;
        }
        Ok(rooms.len())
    }
}
