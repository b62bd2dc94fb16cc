//! Reading without a position: at the very first start, or when the homeserver does not know our position any more, since it
//! was set up anew, restored, or is another one by now. Reading begins with the last pages of each room, as far back as
//! the position was last known to be good; at first, as far back as this database was made.
//!
//! Nothing is doubled, since events count once by their id, and ids are remembered for longer than is read back here.
//! What can be missed is what a room has beyond its last pages; it is still in the history.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    domain::error::{Error, Result},
    port::RoomChanges,
    sync::{
        catch_up::OVERLAP,
        quarantine::Quarantine,
        reconcile::{LEASE, Reconcile},
    },
};

impl Reconcile {
    /// Reads without a position; `cause` says why a stored one is not used.
    pub(crate) async fn resync(&self, worker: &str, cause: Option<&Error>) -> Result<bool> {
        let mut changes = self.timeline.changes(None, Duration::ZERO).await?;
        let typing = std::mem::take(&mut changes.typing);
        let receipts = std::mem::take(&mut changes.receipts);
        let horizon = self.reconciliation.moved_at().await? - OVERLAP;
        if let Some(error) = cause {
            let error: &dyn std::error::Error = error;
            tracing::error!(error, %horizon, "the homeserver does not know where we have arrived: reading the last of each room");
        }
        // The ids of older events may be forgotten, so that these would be told twice; at first there are none.
        let drops_older = cause.is_some();
        let mut quarantine = Quarantine::default();
        if !self.rejoin(worker, None, &changes, &mut quarantine).await? {
            return Ok(false);
        }
        for changes in changes.rooms {
            let room = changes.room.clone();
            let read = self.read_again(changes, horizon, drops_older).await;
            if let Err(error) = self.failures.in_time(&room, read) {
                quarantine.hold(&room, error)?;
            }
            if !self.reconciliation.advance(worker, None, LEASE).await? {
                return Ok(false);
            }
        }
        quarantine.into_result()?;
        self.typing.publish(typing).await;
        self.receipts.ingest(&receipts).await?;
        self.reconciliation.advance(worker, Some(&changes.next), LEASE).await
    }

    async fn read_again(&self, changes: RoomChanges, horizon: Timestamp, drops_older: bool) -> Result<()> {
        let RoomChanges { room, mut events, is_limited } = changes;
        let clocks = self.catch_up.clocks(horizon);
        if is_limited && !clocks.reaches_back(&events) {
            events = self.catch_up.read_back_to(&room, horizon).await?;
        }
        if drops_older {
            events = events.split_off(clocks.first_recent(&events));
        }
        self.ingest.receive(events).await
    }
}
