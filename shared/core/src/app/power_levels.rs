//! Corrects the power levels of rooms that earlier versions created.
//!
//! Members may then invite with any Matrix client where they may invite here, and only the bot may encrypt or
//! replace a room.

use std::sync::Arc;

use crate::{
    domain::error::{Failure, Result},
    port::{self, Ports},
};

/// The most rooms that are corrected at once.
const BATCH: i64 = 50;

/// The engine that corrects power levels.
pub struct PowerLevels {
    room_marks: Arc<dyn port::RoomMarks>,
    room_administration: Arc<dyn port::RoomAdministration>,
}

impl PowerLevels {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self { room_marks: ports.room_marks.clone(), room_administration: ports.room_administration.clone() }
    }

    /// Corrects the power levels of some rooms. Returns the number of rooms read; 0 if none is left.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn correct(&self) -> Result<usize> {
        let rooms = self.room_marks.uncorrected(BATCH).await?;
        for (key, room) in &rooms {
            if key.is_made_here() {
                match self.room_administration.correct_power_levels(room, key.members_invite()).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::info!(%room, "power levels not corrected: the bot lacks the power level");
                    }
                    // A room that the homeserver does not know, or for which it fails, does not stop the
                    // others.
                    Err(error) if matches!(error.failure(), Some(Failure::Rejected | Failure::Broken)) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::warn!(%room, error, "correcting power levels failed");
                    }
                    Err(error) => return Err(error),
                }
            }
            self.room_marks.corrected(room).await?;
        }
        Ok(rooms.len())
    }
}
