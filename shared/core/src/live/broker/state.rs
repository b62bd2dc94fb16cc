//! The connections by what they hear, and the last frames: what a new event is handed out by.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    domain::{
        event::{Audience, Frame, Membership},
        id::{EventId, Position},
    },
    live::send_buffer::{End, SendBuffer},
};

/// Keepalives are spread over so many seconds; docs/api.md promises one every 20.
const KEEPALIVE_ROUND: usize = 15;

/// What is remembered for those who return: so many bytes of frames.
const RECENT_MAX: usize = 16 << 20;

/// One comment-free keepalive for everybody; it has no `id:`, so it moves no cursor.
const KEEPALIVE: Bytes = Bytes::from_static(b"data: {\"type\":\"keepalive\"}\n\n");

/// A connection's number within its process.
pub(crate) type ConnectionId = usize;

/// Who listens to what, and what was said last.
#[derive(Default)]
pub(super) struct State {
    pub(super) position: Position,
    pub(super) connections: HashMap<ConnectionId, Connection>,
    pub(super) next_id: ConnectionId,
    pub(super) listeners: HashMap<Audience, Vec<ConnectionId>>,
    pub(super) ends: BTreeSet<(Timestamp, ConnectionId)>,
    pub(super) recent: Recent,
    /// Grows with each change of membership, so that an audience read before one is not used after it.
    pub(super) memberships: u64,
    pub(super) ticks: usize,
}

/// A connection in the index.
pub(super) struct Connection {
    pub(super) send_buffer: Arc<SendBuffer>,
    pub(super) audience: Vec<Audience>,
    pub(super) after: Position,
    pub(super) ends_at: Timestamp,
}

/// The last frames, for those who return after a short while.
#[derive(Default)]
pub(super) struct Recent {
    pub(super) frames: VecDeque<Frame>,
    pub(super) bytes: usize,
    /// Everything after this position is here.
    pub(super) since: Position,
}

impl State {
    pub(super) fn hand_out(&mut self, frame: Frame) {
        self.position = frame.position;
        if let Some(about) = frame.about.as_ref().filter(|_| frame.is_redaction) {
            self.recent.forget(about);
        }
        let mut slow = Vec::new();
        for id in self.listeners.get(&frame.audience).into_iter().flatten() {
            if let Some(connection) = self.connections.get(id).filter(|one| one.after < frame.position)
                && !connection.send_buffer.put(frame.sse.clone())
            {
                slow.push(*id);
            }
        }
        for id in slow {
            if let Some(connection) = self.remove(id) {
                connection.send_buffer.close(End::TooSlow, None);
            }
        }
        if let Some(change) = &frame.membership {
            self.apply(&frame.audience, change);
        }
        self.recent.keep(frame);
    }

    /// Moves the connections of one user into or out of the audience of a room, or ends them.
    fn apply(&mut self, user: &Audience, change: &Membership) {
        self.memberships += 1;
        let room = match change {
            Membership::Joined(room) | Membership::Left(room) => room,
            Membership::Withdrawn => return self.end_all(user),
        };
        let audience = Audience::Room(user.tenant(), room.clone());
        for id in self.listeners.get(user).cloned().unwrap_or_default() {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let hears = connection.audience.contains(&audience);
            match change {
                Membership::Joined(_) if !hears => {
                    connection.audience.push(audience.clone());
                    self.listeners.entry(audience.clone()).or_default().push(id);
                }
                Membership::Left(_) if hears => {
                    connection.audience.retain(|one| *one != audience);
                    self.silence(&audience, id);
                }
                _ => {}
            }
        }
    }

    /// Ends the connections of one user, after what waits for them.
    fn end_all(&mut self, user: &Audience) {
        for id in self.listeners.get(user).cloned().unwrap_or_default() {
            if let Some(connection) = self.remove(id) {
                connection.send_buffer.close(End::Regular, None);
            }
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        for audience in &connection.audience {
            self.silence(audience, id);
        }
        self.ends.remove(&(connection.ends_at, id));
        Some(connection)
    }

    fn silence(&mut self, audience: &Audience, id: ConnectionId) {
        if let Some(listeners) = self.listeners.get_mut(audience) {
            if let Ok(index) = listeners.binary_search(&id) {
                listeners.remove(index);
            } else {
                listeners.retain(|one| *one != id);
            }
            if listeners.is_empty() {
                self.listeners.remove(audience);
            }
        }
    }

    /// Sends this second's keepalives. Returns the connections whose token has ended.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<ConnectionId> {
        self.ticks = (self.ticks + 1) % KEEPALIVE_ROUND;
        for (id, connection) in &self.connections {
            if id % KEEPALIVE_ROUND == self.ticks {
                // One that is too slow even for this is cut off by the next event.
                connection.send_buffer.put(KEEPALIVE);
            }
        }
        self.ends.range(..=(now, ConnectionId::MAX)).map(|(_, id)| *id).collect()
    }
}

impl Recent {
    /// Forgets the frames about a redacted message, and those before them: whoever missed them reads the log, which is
    /// emptied of it.
    fn forget(&mut self, about: &EventId) {
        let Some(last) = self.frames.iter().rposition(|frame| frame.about.as_ref() == Some(about)) else {
            return;
        };
        for frame in self.frames.drain(..=last) {
            self.bytes -= frame.sse.len();
            self.since = frame.position;
        }
    }

    fn keep(&mut self, frame: Frame) {
        self.bytes += frame.sse.len();
        self.frames.push_back(frame);
        while self.bytes > RECENT_MAX
            && let Some(oldest) = self.frames.pop_front()
        {
            self.bytes -= oldest.sse.len();
            self.since = oldest.position;
        }
    }
}
