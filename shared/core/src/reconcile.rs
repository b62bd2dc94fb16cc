//! Reconciliation: the worker reads on from where it has arrived in the homeserver's own stream, so that an outage of
//! ours, of any length, loses nothing. One worker does it at a time.
//!
//! The *position* is the homeserver's word for "everything up to here": what comes before it is in our log. It moves only
//! after everything before it has been taken in, so a crash repeats work and never leaves any out. What happens when the
//! homeserver does not know it any more stands in `anew.rs`.

mod anew;
mod back;
mod unheard;

use std::time::Duration;

use crate::{
    Hub, Result,
    error::Failure,
    id::{EventId, RoomId},
    inbound::{RoomEvent, Sick},
    port::{Changes, RoomChanges},
};

/// How long a worker may be silent before another goes on.
const LEASE: Duration = Duration::from_secs(40);
/// Most events that are read at once.
const PAGE: u32 = 100;
/// How many pages a send of ours reads before it goes first: the worker is far behind, and nobody waits for that.
const PAGES_BEFORE_SEND: usize = 5;

impl Hub {
    /// Takes in what happened since the last time, and waits for it as long as `patience` if nothing did. `false`:
    /// another worker is at it.
    pub async fn reconcile(&self, worker: &str, patience: Duration) -> Result<bool> {
        let Some(since) = self.reconciliation.claim(worker, LEASE).await? else { return Ok(false) };
        match self.read_on(worker, since.as_deref(), patience).await {
            Err(error) if error.failure() == Some(Failure::UnknownPosition) => {
                self.start_anew(worker, &error).await
            }
            result => result,
        }
    }

    async fn read_on(&self, worker: &str, since: Option<&str>, patience: Duration) -> Result<bool> {
        let mut changes = self.timeline.changes(since, patience).await?;
        let next = changes.next.clone();
        let typing = std::mem::take(&mut changes.typing);
        let receipts = std::mem::take(&mut changes.receipts);
        // Reading on in these tells whether the position is known at all: before anything is taken in.
        // And in the order in which they had their last message: lists of rooms are sorted by the arrival.
        let last = |room: &RoomChanges| room.events.last().map(|event| event.timestamp);
        changes.rooms.sort_by_key(|room| (!room.is_limited, last(room)));
        if !self.take_in_changes(worker, since, changes).await? {
            return Ok(false);
        }
        self.hear_typing(typing).await;
        self.hear_receipts(&receipts).await?;
        self.reconciliation.advance(worker, Some(&next), LEASE).await
    }

    async fn take_in_changes(&self, worker: &str, since: Option<&str>, changes: Changes) -> Result<bool> {
        let mut sick = Sick::default();
        if !self.come_back(worker, since, &changes, &mut sick).await? {
            return Ok(false);
        }
        for changes in changes.rooms {
            let room = changes.room.clone();
            match self.take_in_room(worker, since, changes).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => sick.hold(&room, error)?,
            }
        }
        sick.told()?;
        Ok(true)
    }

    async fn take_in_room(&self, worker: &str, since: Option<&str>, changes: RoomChanges) -> Result<bool> {
        let RoomChanges { room, events, is_limited } = changes;
        // The very first time there is nothing to be made up for: what was said before us stays history.
        if let Some(since) = since.filter(|_| is_limited) {
            let until = events.first().map(|event| &event.event_id);
            let filled = self.fill(worker, &room, since, until).await;
            if self.in_time(&room, filled)? == Some(false) {
                return Ok(false);
            }
        }
        self.receive(events).await?;
        Ok(true)
    }

    /// Takes in what stands in a room from a position to an event, or to the end.
    async fn fill(&self, worker: &str, room: &RoomId, since: &str, until: Option<&EventId>) -> Result<bool> {
        let mut from = since.to_owned();
        loop {
            let (page, next) = self.page_after(room, &from).await?;
            let end = page.iter().position(|event| Some(&event.event_id) == until);
            let is_last = end.is_some();
            self.receive(page.into_iter().take(end.unwrap_or(usize::MAX)).collect()).await?;
            if !self.reconciliation.advance(worker, None, LEASE).await? {
                return Ok(false);
            }
            match next {
                Some(next) if !is_last => from = next,
                _ => return Ok(true),
            }
        }
    }

    async fn page_after(&self, room: &RoomId, from: &str) -> Result<(Vec<RoomEvent>, Option<String>)> {
        let page = self.timeline.after(room, from, PAGE).await?;
        let next = page.end.filter(|end| *end != from);
        Ok((page.events, next))
    }

    /// Takes in events of one room that we have just sent, after what stands before them in the room.
    pub(crate) async fn take_in_own(&self, room: &RoomId, mut own: Vec<RoomEvent>) -> Result<()> {
        self.catch_up(room, &mut own).await?;
        // What is left the worker has passed already, or it was sent long ago, or nothing was ever read.
        for event in own {
            let known = self.timeline.event(room, &event.event_id).await?;
            self.receive(vec![known.unwrap_or(event)]).await?;
        }
        Ok(())
    }

    /// Takes in what stands in a room since the reconciled position, and leaves what it did not meet.
    async fn catch_up(&self, room: &RoomId, own: &mut Vec<RoomEvent>) -> Result<()> {
        let Some(position) = self.reconciliation.position().await? else { return Ok(()) };
        let known = self.caught_up.get(room).filter(|(at, _)| *at == position);
        let mut from = known.map_or_else(|| position.clone(), |(_, until)| until);
        for _ in 0..PAGES_BEFORE_SEND {
            let (events, next) = self.page_after(room, &from).await?;
            own.retain(|event| events.iter().all(|met| met.event_id != event.event_id));
            self.receive(events).await?;
            match next {
                Some(next) => {
                    from = next;
                    self.caught_up.put(room.clone(), (position.clone(), from.clone()));
                }
                None => return Ok(()),
            }
            if own.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }
}
