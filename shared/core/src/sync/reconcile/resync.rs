//! Resync: reading without a sync token, at the first start or when the homeserver does not know the stored
//! one, because it was reinstalled, restored from a backup, or replaced. The worker reads the last pages of
//! each room, back to the time at which the stored sync token was last valid; at the first start, back to the
//! creation of the database.
//!
//! No event is ingested twice: events count once by their id, and ids are kept for longer than is read here.
//! Events beyond the last pages of a room can be missed; they are still in its history.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    domain::{
        error::{Error, Result},
        lease::Lease,
    },
    port::RoomChanges,
    sync::{
        pages::OVERLAP,
        quarantine::{Quarantine, Subject},
        reconcile::{LEASE, Reconcile},
    },
};

impl Reconcile {
    /// Reads without a sync token. `cause` is the failure of the stored one; `None` if none is stored.
    pub(crate) async fn resync(&self, worker: &str, cause: Option<&Error>) -> Result<Lease<()>> {
        let mut changes = self.timeline.changes(None, Duration::ZERO).await?;
        let typing = std::mem::take(&mut changes.typing);
        let receipts = std::mem::take(&mut changes.receipts);
        let horizon = self.reconciliation.moved_at().await? - OVERLAP;
        if let Some(error) = cause {
            let error: &dyn std::error::Error = error;
            tracing::error!(error, %horizon, "homeserver does not know the sync token; resync of all rooms");
        }
        // The ids of older events may be deleted, so that these would be ingested twice. At the first start
        // there are none.
        let drops_older = cause.is_some();
        let mut quarantine = Quarantine::default();
        if self.enter_rooms(worker, None, &changes, &mut quarantine).await?.is_lost() {
            return Ok(Lease::Lost);
        }
        for changes in changes.rooms {
            let room = changes.room.clone();
            let read = self.resync_room(changes, horizon, drops_older).await;
            if let Err(error) = self.failures.tolerate(&room, Subject::LastPages, read) {
                quarantine.hold(&room, error)?;
            }
            if self.renew(worker).await?.is_lost() {
                return Ok(Lease::Lost);
            }
        }
        quarantine.into_result()?;
        self.typing.publish(typing).await;
        self.receipts.ingest(&receipts).await?;
        self.reconciliation.advance(worker, &changes.next, LEASE).await
    }

    async fn resync_room(&self, changes: RoomChanges, horizon: Timestamp, drops_older: bool) -> Result<()> {
        let RoomChanges { room, mut events, is_limited } = changes;
        let times = self.pages.credible_times(horizon);
        if is_limited && !times.reaches_back(&events) {
            events = self.pages.back_to(&room, horizon).await?;
        }
        if drops_older {
            events = events.split_off(times.first_recent(&events));
        }
        self.ingest.receive(events).await
    }
}
