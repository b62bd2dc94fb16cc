//! Read-your-own-writes buffer: the live events of notifications that this process accepted, for its own
//! reader, which needs no query for them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use messenger_core::{event::Event, id::Position, lock};

use crate::listener::PgListener;

/// Maximum number of buffered events; a reader that is further behind reads the event log.
const BUFFER_MAX: usize = 4096;

/// Events that were appended here and not read yet. Positions are missing where other processes appended.
pub(crate) struct LocalAppends {
    listener: Arc<PgListener>,
    buffer: Mutex<Buffer>,
}

#[derive(Default)]
struct Buffer {
    events: VecDeque<Event>,
    /// The position up to which this process has read; `None` while it has no reader.
    read: Option<Position>,
}

impl LocalAppends {
    pub(crate) fn new(listener: Arc<PgListener>) -> Self {
        Self { listener, buffer: Mutex::default() }
    }

    /// Buffers committed events, in order, and wakes the reader. Without a reader nothing is buffered.
    pub(crate) fn append(&self, events: Vec<Event>) {
        let Some(last) = events.last().map(|event| event.position) else { return };
        let mut buffer = self.buffer();
        if buffer.read.is_none() {
            return;
        }
        if buffer.events.len() + events.len() > BUFFER_MAX {
            buffer.events.clear();
        }
        buffer.events.extend(events);
        drop(buffer);
        self.listener.advance_head(last);
    }

    /// Takes the events that follow a position without a gap.
    pub(crate) fn next(&self, after: Position, limit: usize) -> Vec<Event> {
        let mut buffer = self.buffer();
        while buffer.events.front().is_some_and(|event| event.position <= after) {
            buffer.events.pop_front();
        }
        let expected = (after.0 + 1..).zip(&buffer.events).take(limit);
        let count = expected.take_while(|(position, event)| event.position.0 == *position).count();
        buffer.events.drain(..count).collect()
    }

    /// Stores the position up to which this process has read.
    pub(crate) fn set_read(&self, position: Position) {
        self.buffer().read = Some(position);
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        lock(&self.buffer)
    }
}
