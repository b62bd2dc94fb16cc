//! Fans out the event log: reads each new event once, encodes it once, and hands it to each connection of its
//! audience. A process has one broker.
//!
//! A connection costs its entry in the index and its send buffer. It has no task, timer or query of its own;
//! one clock sends the keepalives and ends the streams of all connections.

mod ephemeral;
mod state;

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use jiff::Timestamp;
use state::{Connection, State};
use tokio::{sync::watch, time::Instant};

use crate::{
    domain::{audiences::Audiences, error::Result, event::Event, id::Position},
    live::{
        lock::lock,
        send_buffer::{End, SendBuffer},
    },
    port::{Clock, EphemeralBus, Feed},
};

pub(crate) use state::ConnectionId;

/// The most events that are read at once.
const PAGE: i64 = 1000;

/// The longest time between two reads of the log if no signal arrives.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a failed read.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

const TOKEN_EXPIRED: Bytes = Bytes::from_static(b"data: {\"type\":\"token_expired\"}\n\n");

/// The fan-out of the event log. It works while [`run`](Self::run) is awaited.
pub struct Broker {
    feed: Arc<dyn Feed>,
    ephemeral_bus: Arc<dyn EphemeralBus>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// The position up to which the log was read; `None` until then. It wakes those who wait for the first
    /// reading.
    read_up_to: watch::Sender<Option<Position>>,
    /// The time at which the log was last read to its end; `None` until then.
    caught_up: Mutex<Option<Instant>>,
}

/// Returns the final frame of a stream that ends with its process. Its `retry` is random, so that clients do
/// not reconnect all at once.
pub fn reconnect() -> Bytes {
    reconnect_within(500..5_000)
}

/// Returns the final frame of a stream that has lasted long enough, while the service goes on. Such streams
/// mostly began at different times.
pub fn reconnect_soon() -> Bytes {
    reconnect_within(500..1_500)
}

fn reconnect_within(milliseconds: Range<u32>) -> Bytes {
    let retry = rand::random_range(milliseconds);
    Bytes::from(format!("retry: {retry}\ndata: {{\"type\":\"reconnect\",\"retry_ms\":{retry}}}\n\n"))
}

/// The figures of a broker at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokerFigures {
    /// The position up to which all events were handed out; `None` until the log was first read.
    pub position: Option<Position>,
    /// The time since the log was last read to its end; `None` until it was first read.
    pub since_caught_up: Option<Duration>,
    /// The number of connections: open event streams and waiting polls.
    pub connections: usize,
    /// The number of events that were read from the log so far.
    pub read: u64,
    /// The number of times that an event was handed to a connection so far.
    pub handed_out: u64,
    /// The number of connections that were ended so far because their reader was too slow.
    pub too_slow: u64,
}

/// A connection in the index.
pub(crate) struct Subscription {
    pub(crate) id: ConnectionId,
    pub(crate) send_buffer: Arc<SendBuffer>,
    /// The position of the subscription. Later events reach the send buffer.
    pub(crate) at: Position,
}

impl Broker {
    pub(crate) fn new(
        feed: Arc<dyn Feed>,
        ephemeral_bus: Arc<dyn EphemeralBus>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            feed,
            ephemeral_bus,
            clock,
            state: Mutex::default(),
            read_up_to: watch::Sender::new(None),
            caught_up: Mutex::default(),
        }
    }

    /// Reads the log and receives ephemeral events until the future is dropped.
    pub async fn run(&self) {
        tokio::join!(self.read(), self.hand_out_ephemeral(), self.tick());
    }

    /// Returns the number of connections.
    pub fn connections(&self) -> usize {
        self.state().connections.len()
    }

    /// Returns the figures of this moment. The counters cost the fan-out no lock and no atomic operation of
    /// their own: they are part of the state that it holds anyway.
    pub fn figures(&self) -> BrokerFigures {
        let (position, caught_up) = (*self.read_up_to.borrow(), *lock(&self.caught_up));
        let state = self.state();
        BrokerFigures {
            position,
            since_caught_up: caught_up.map(|at| at.elapsed()),
            connections: state.connections.len(),
            read: state.read,
            handed_out: state.handed_out,
            too_slow: state.too_slow,
        }
    }

    /// Ends all streams, each with a final frame of [`reconnect`].
    pub fn shut_down(&self) {
        let ids: Vec<_> = self.state().connections.keys().copied().collect();
        for id in ids {
            self.end(id, Some(reconnect()));
        }
    }

    /// Returns the position up to which all events were handed out.
    pub(crate) fn position(&self) -> Position {
        self.state().position
    }

    /// Waits until the log was first read. Returns an error if it cannot be read now.
    pub(crate) async fn ready(&self) -> Result<()> {
        if self.read_up_to.borrow().is_none() {
            self.feed.span().await?;
            // The sender lives as long as the broker, so this ends when the log is read.
            let _ = self.read_up_to.subscribe().wait_for(Option::is_some).await;
        }
        Ok(())
    }

    /// Waits until the log was read up to a position.
    pub(crate) async fn reach(&self, position: Position) {
        let mut read = self.read_up_to.subscribe();
        // The sender lives as long as the broker.
        let _ = read.wait_for(|read| read.is_some_and(|read| read >= position)).await;
    }

    /// Returns the number of changes of audiences of all users; see [`subscribe`](Self::subscribe).
    pub(crate) fn audience_changes(&self) -> u64 {
        self.state().audience_changes
    }

    /// Adds a connection. Returns `None` if an audience has changed since `audience_changes` was read,
    /// because `audiences` may be stale.
    ///
    /// The connection gets no frames up to `after`, also if this process reads them later: the reader has
    /// them from a process that is ahead.
    pub(crate) fn subscribe(
        &self,
        audiences: &Audiences,
        after: Option<Position>,
        ends_at: Timestamp,
        audience_changes: u64,
    ) -> Option<Subscription> {
        let mut state = self.state();
        if state.audience_changes != audience_changes {
            return None;
        }
        let id = state.next_id;
        state.next_id += 1;
        let send_buffer = Arc::new(SendBuffer::default());
        for one in audiences.names() {
            state.subscribers.entry(one.clone()).or_default().push(id);
        }
        let at = state.position;
        let after = after.unwrap_or(at);
        let connection = Connection {
            send_buffer: send_buffer.clone(),
            audience: audiences.names().cloned().collect(),
            after,
            ends_at,
        };
        state.connections.insert(id, connection);
        state.ends.insert((ends_at, id));
        Some(Subscription { id, send_buffer, at })
    }

    /// Removes a connection.
    pub(crate) fn unsubscribe(&self, id: ConnectionId) {
        self.state().remove(id);
    }

    /// Returns at most `limit` frames of these audiences between two positions, in order. Returns `None` if
    /// the recent frames do not reach back to `after`: the log must be read.
    pub(crate) fn missed(
        &self,
        after: Position,
        until: Position,
        audiences: &Audiences,
        limit: usize,
    ) -> Option<Vec<Bytes>> {
        let state = self.state();
        if after < state.recent.since {
            return None;
        }
        let start = state.recent.frames.partition_point(|frame| frame.position <= after);
        let frames = state.recent.frames.range(start..).take_while(|frame| frame.position <= until);
        let received = frames.filter(|frame| audiences.includes(&frame.audience, frame.position));
        Some(received.take(limit).map(|frame| frame.sse.clone()).collect())
    }

    /// Reads the log until the future is dropped.
    async fn read(&self) {
        let mut failing = false;
        loop {
            match self.read_new().await {
                Ok(()) => {
                    failing = false;
                    *lock(&self.caught_up) = Some(Instant::now());
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "reading the event log failed"
                        );
                    }
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
            if !failing {
                self.feed.wait_beyond(self.position(), POLL_INTERVAL).await;
            }
        }
    }

    /// Reads and hands out all new events.
    async fn read_new(&self) -> Result<()> {
        let started = *self.read_up_to.borrow();
        let mut position = if let Some(position) = started { position } else { self.start().await? };
        loop {
            let events = self.feed.next(position, PAGE).await?;
            let Some(last) = events.last() else { return Ok(()) };
            position = last.position;
            self.hand_out(&events);
            self.read_up_to.send_replace(Some(position));
            if i64::try_from(events.len()).is_ok_and(|count| count < PAGE) {
                return Ok(());
            }
            // A burst of pages must not delay the connections' writes.
            tokio::task::yield_now().await;
        }
    }

    /// Begins at the head of the log.
    async fn start(&self) -> Result<Position> {
        let head = self.feed.span().await?.head;
        let mut state = self.state();
        state.position = head;
        state.recent.since = head;
        drop(state);
        self.read_up_to.send_replace(Some(head));
        Ok(head)
    }

    fn hand_out(&self, events: &[Event]) {
        let frames: Vec<_> = events.iter().map(Event::frame).collect();
        let mut state = self.state();
        for frame in frames {
            state.hand_out(frame);
        }
    }

    /// Sends keepalives and ends streams whose token has expired, each second.
    async fn tick(&self) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            seconds.tick().await;
            let now = self.clock.now();
            let ended = self.state().tick(now);
            for id in ended {
                self.end(id, Some(TOKEN_EXPIRED));
            }
        }
    }

    /// Ends a stream after a final frame.
    fn end(&self, id: ConnectionId, final_frame: Option<Bytes>) {
        let removed = self.state().remove(id);
        if let Some(connection) = removed {
            connection.send_buffer.close(End::Regular, final_frame);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock; if it did, the state would still be consistent.
        lock(&self.state)
    }
}
