//! Closes rooms on the homeserver that an administrator closed here: frees the alias, removes the members, and
//! makes the bot leave. The database stores the rooms that are still due.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use crate::{
    domain::{
        admin::ClosedRoom,
        error::{Error, Result},
        id::RoomId,
        lease::Lease,
        room::RoomKey,
    },
    port::{self, Ports},
};

/// The time that one process may take for a room before another may try. Members are removed one by one.
const LEASE: Duration = Duration::from_mins(2);

/// The time that freeing an alias may take.
const ALIAS_LEASE: Duration = Duration::from_secs(20);

/// The interval at which a call checks whether another process has closed a room or freed its alias.
const POLL: Duration = Duration::from_millis(50);

/// The most rooms that a worker claims at once.
const BATCH: i64 = 4;

/// The engine that closes rooms on the homeserver.
pub struct Closures {
    closed_rooms: Arc<dyn port::ClosedRooms>,
    room_administration: Arc<dyn port::RoomAdministration>,
    background: TaskTracker,
}

impl Closures {
    pub(crate) fn new(ports: &Ports, background: &TaskTracker) -> Self {
        Self {
            closed_rooms: ports.closed_rooms.clone(),
            room_administration: ports.room_administration.clone(),
            background: background.clone(),
        }
    }

    /// Returns whether an administrator closed a room.
    pub(crate) async fn is_closed(&self, room: &RoomId) -> Result<bool> {
        self.closed_rooms.is_closed(room).await
    }

    /// Registers a watcher of the rooms that any process closes.
    pub(crate) fn watch(&self, watcher: Arc<dyn port::ClosedRoomWatcher>) {
        self.closed_rooms.watch(watcher);
    }

    /// Closes rooms on the homeserver that are due. Returns the number of claimed ones.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn close_due(&self) -> Result<usize> {
        let due = self.closed_rooms.claim_due(LEASE, BATCH).await?;
        for closed in &due {
            self.close_claimed(closed).await?;
        }
        Ok(due.len())
    }

    /// Closes a room on the homeserver now, or waits for the process that does so. Returns `false` if that is not
    /// done within `patience`: it continues in the background, and the worker repeats it after a failure.
    pub(crate) async fn close_in_time(self: &Arc<Self>, room: &RoomId, patience: Duration) -> Result<bool> {
        let (closures, room) = (Arc::clone(self), room.clone());
        let closing = self.background.spawn(async move {
            let deadline = Instant::now() + patience;
            loop {
                match closures.closed_rooms.claim(&room, LEASE).await? {
                    None => return Ok(true),
                    Some(Lease::Held(closed)) => return closures.close_claimed(&closed).await,
                    Some(Lease::Lost) if Instant::now() < deadline => sleep(POLL).await,
                    Some(Lease::Lost) => return Ok(false),
                }
            }
        });
        match timeout(patience, closing).await {
            Ok(Ok(closed)) => closed,
            Ok(Err(ended)) => Err(Error::internal("closing a room on the homeserver", ended)),
            Err(_elapsed) => Ok(false),
        }
    }

    /// Frees the alias of a key that closed rooms may still have, so that the next room of the key gets it.
    pub(crate) async fn free_alias(&self, key: &RoomKey) -> Result<()> {
        let deadline = Instant::now() + ALIAS_LEASE;
        loop {
            match self.closed_rooms.claim_with_alias(key, ALIAS_LEASE).await? {
                None => return Ok(()),
                Some(Lease::Held(closed)) => {
                    if let Err(error) = self.release_alias(&closed).await {
                        self.closed_rooms.postpone(&closed.room).await?;
                        return Err(error);
                    }
                    self.closed_rooms.release(&closed.room).await?;
                }
                Some(Lease::Lost) if Instant::now() < deadline => sleep(POLL).await,
                Some(Lease::Lost) => {
                    let cause = "another process holds the lease on the closed room";
                    return Err(Error::internal("waiting for the alias of a closed room", cause));
                }
            }
        }
    }

    /// Closes a claimed room on the homeserver. Returns `false` if that failed and is postponed.
    async fn close_claimed(&self, closed: &ClosedRoom) -> Result<bool> {
        let room = &closed.room;
        match self.close_on_homeserver(closed).await {
            Ok(()) => {
                self.closed_rooms.done(room).await?;
                tracing::info!(%room, "room closed on the homeserver");
                Ok(true)
            }
            Err(error) => {
                tracing::warn!(
                    %room,
                    error = &error as &dyn std::error::Error,
                    "closing a room on the homeserver postponed"
                );
                self.closed_rooms.postpone(room).await?;
                Ok(false)
            }
        }
    }

    async fn close_on_homeserver(&self, closed: &ClosedRoom) -> Result<()> {
        self.release_alias(closed).await?;
        self.room_administration.empty(&closed.room).await
    }

    async fn release_alias(&self, closed: &ClosedRoom) -> Result<()> {
        if closed.is_alias_freed {
            return Ok(());
        }
        if let Some(key) = &closed.key {
            self.room_administration.release_alias(&closed.room, &key.alias()).await?;
        }
        self.closed_rooms.alias_freed(&closed.room).await
    }
}
