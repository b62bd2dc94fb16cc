//! Events that this process has just appended: its own reader has them at once, without asking the database for what
//! was written a moment ago.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use messenger_core::{event::Event, id::Position};

use crate::listener::PgListener;

/// Most events that wait for the reader; who is further behind reads the log.
const WAITING_MAX: usize = 4096;

/// What was appended here and not read here yet. It may have holes: what other processes append stands in the log only.
pub(crate) struct LocalAppends {
    listener: Arc<PgListener>,
    waiting: Mutex<PendingAppend>,
}

#[derive(Default)]
struct PendingAppend {
    events: VecDeque<Event>,
    /// Up to where this process has read; `None` while nobody reads.
    read: Option<Position>,
}

impl LocalAppends {
    pub(crate) fn new(listener: Arc<PgListener>) -> Self {
        Self { listener, waiting: Mutex::default() }
    }

    /// Takes events that are committed, in order.
    pub(crate) fn append(&self, events: Vec<Event>) {
        let Some(last) = events.last().map(|event| event.position) else { return };
        let mut waiting = self.waiting();
        if waiting.read.is_none() {
            return;
        }
        if waiting.events.len() + events.len() > WAITING_MAX {
            waiting.events.clear();
        }
        waiting.events.extend(events);
        drop(waiting);
        self.listener.grown(last);
    }

    /// The events that come next after a position, as far as they are here.
    pub(crate) fn next(&self, after: Position, limit: usize) -> Vec<Event> {
        let mut waiting = self.waiting();
        while waiting.events.front().is_some_and(|event| event.position <= after) {
            waiting.events.pop_front();
        }
        let expected = (after.0 + 1..).zip(&waiting.events).take(limit);
        let count = expected.take_while(|(position, event)| event.position.0 == *position).count();
        waiting.events.drain(..count).collect()
    }

    /// This process has read up to here.
    pub(crate) fn read(&self, position: Position) {
        self.waiting().read = Some(position);
    }

    /// Up to where this process has read.
    pub(crate) fn position(&self) -> Option<Position> {
        self.waiting().read
    }

    fn waiting(&self) -> MutexGuard<'_, PendingAppend> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
