//! Indexes connections by audience, and keeps the recent frames.

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

/// The number of seconds over which keepalives are spread. Clients may rely on one every 20 seconds.
const KEEPALIVE_ROUND: usize = 15;

/// The most bytes of recent frames.
const RECENT_MAX: usize = 16 << 20;

/// The keepalive of all connections. It has no `id`, so it moves no cursor.
const KEEPALIVE: Bytes = Bytes::from_static(b"data: {\"type\":\"keepalive\"}\n\n");

/// A connection's number within its process.
pub(crate) type ConnectionId = usize;

/// The index of connections, and the recent frames.
#[derive(Default)]
pub(super) struct State {
    /// The position of the last frame that was handed out.
    pub(super) position: Position,
    pub(super) connections: HashMap<ConnectionId, Connection>,
    pub(super) next_id: ConnectionId,
    /// The connections of each audience.
    pub(super) subscribers: HashMap<Audience, Vec<ConnectionId>>,
    /// The times at which tokens expire.
    pub(super) ends: BTreeSet<(Timestamp, ConnectionId)>,
    pub(super) recent: Recent,
    /// The number of changes of memberships, tenants and roles. Audiences that were read before one are not
    /// used after it.
    pub(super) audience_changes: u64,
    pub(super) ticks: usize,
    /// The number of events that were read from the log.
    pub(super) read: u64,
    /// The number of frames that were added to a send buffer.
    pub(super) handed_out: u64,
    /// The number of connections that were ended because their reader was too slow.
    pub(super) too_slow: u64,
}

/// A connection in the index.
pub(super) struct Connection {
    pub(super) send_buffer: Arc<SendBuffer>,
    pub(super) audience: Vec<Audience>,
    /// The position up to which the reader has all frames already.
    pub(super) after: Position,
    pub(super) ends_at: Timestamp,
}

/// The last frames, for clients that reconnect after a short time.
#[derive(Default)]
pub(super) struct Recent {
    pub(super) frames: VecDeque<Frame>,
    pub(super) bytes: usize,
    /// The position after which all frames are kept.
    pub(super) since: Position,
}

impl State {
    /// Hands a frame to the connections of its audience, and ends those whose send buffer is full.
    pub(super) fn hand_out(&mut self, frame: Frame) {
        self.position = frame.position;
        self.read += 1;
        if let Some(about) = frame.about.as_ref().filter(|_| frame.is_redaction) {
            self.recent.forget(about);
        }
        let mut slow = Vec::new();
        for id in self.subscribers.get(&frame.audience).into_iter().flatten() {
            let Some(connection) = self.connections.get(id).filter(|one| one.after < frame.position) else {
                continue;
            };
            if connection.send_buffer.put(frame.sse.clone()) {
                self.handed_out += 1;
            } else {
                slow.push(*id);
            }
        }
        self.too_slow += slow.len() as u64;
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
        self.audience_changes += 1;
        let room = match change {
            Membership::Joined(room) | Membership::Left(room) => room,
            Membership::Withdrawn => return self.end_all(user),
        };
        let audience = Audience::Room(user.tenant(), room.clone());
        for id in self.subscribers.get(user).cloned().unwrap_or_default() {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let is_subscribed = connection.audience.contains(&audience);
            match change {
                Membership::Joined(_) if !is_subscribed => {
                    connection.audience.push(audience.clone());
                    self.subscribers.entry(audience.clone()).or_default().push(id);
                }
                Membership::Left(_) if is_subscribed => {
                    connection.audience.retain(|one| *one != audience);
                    self.remove_subscriber(&audience, id);
                }
                _ => {}
            }
        }
    }

    /// Ends the connections of a user after their send buffers are written.
    fn end_all(&mut self, user: &Audience) {
        for id in self.subscribers.get(user).cloned().unwrap_or_default() {
            if let Some(connection) = self.remove(id) {
                connection.send_buffer.close(End::Regular, None);
            }
        }
    }

    /// Removes a connection from the index.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.connections.remove(&id)?;
        for audience in &connection.audience {
            self.remove_subscriber(audience, id);
        }
        self.ends.remove(&(connection.ends_at, id));
        Some(connection)
    }

    /// Removes a connection from one audience.
    fn remove_subscriber(&mut self, audience: &Audience, id: ConnectionId) {
        if let Some(subscribers) = self.subscribers.get_mut(audience) {
            if let Ok(index) = subscribers.binary_search(&id) {
                subscribers.remove(index);
            } else {
                subscribers.retain(|one| *one != id);
            }
            if subscribers.is_empty() {
                self.subscribers.remove(audience);
            }
        }
    }

    /// Sends this second's keepalives. Returns the connections whose token has expired.
    pub(super) fn tick(&mut self, now: Timestamp) -> Vec<ConnectionId> {
        self.ticks = (self.ticks + 1) % KEEPALIVE_ROUND;
        for (id, connection) in &self.connections {
            if id % KEEPALIVE_ROUND == self.ticks {
                // A full send buffer takes no keepalive; the next event ends the connection.
                connection.send_buffer.put(KEEPALIVE);
            }
        }
        self.ends.range(..=(now, ConnectionId::MAX)).map(|(_, id)| *id).collect()
    }
}

impl Recent {
    /// Drops the frames about a redacted message and all before them. Clients that missed these read the log,
    /// where the message is emptied.
    fn forget(&mut self, about: &EventId) {
        let Some(last) = self.frames.iter().rposition(|frame| frame.about.as_ref() == Some(about)) else {
            return;
        };
        for frame in self.frames.drain(..=last) {
            self.bytes -= frame.sse.len();
            self.since = frame.position;
        }
    }

    /// Adds a frame, and drops the oldest ones above the limit.
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
