//! The `LISTEN` connection of a process. A signal (`NOTIFY`) is a hint only: each waiter also polls. An
//! ephemeral event is lost for a process that does not listen.

mod position_watch;

use std::{
    error::Error as _,
    sync::{Arc, Mutex, OnceLock, Weak},
    time::Duration,
};

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use messenger_core::{
    ephemeral::EphemeralEvent,
    id::{HubUserId, Position, RoomId},
    live::ephemeral_channel::EphemeralChannel,
    lock,
    port::{ClosedRoomWatcher, Relayed, UserWatcher},
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Client, Notification};

use crate::connection::{Connector, PgConnection};
use position_watch::PositionWatch;

/// Delay before a connection is opened again.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);
/// The channels of `functions/`, and that of ephemeral events.
const FEED: &str = "feed";
const WORK: &str = "work";
const FEED_RELAYED: &str = "feed_relayed";
const EPHEMERALS: &str = "ephemeral_events";
const IDENTITIES: &str = "identities";
const CLOSED_ROOMS: &str = "closed_rooms";

/// A receiver of signals for the waiters of this process. A channel has one waiter at a time; a signal is
/// kept until it waits.
pub(crate) struct PgListener {
    /// `None` in a process without a database, which gets no signals.
    connector: Option<Connector>,
    waiters: Arc<Waiters>,
    /// The channels that a waiter has asked for. The connection listens to no others, so they do not wake the
    /// process.
    channels: Arc<watch::Sender<Vec<&'static str>>>,
    task: OnceLock<JoinHandle<()>>,
}

/// The waiters of each channel.
#[derive(Default)]
struct Waiters {
    /// The head of the event log.
    feed: PositionWatch<Position>,
    /// The head of the copy of the event log.
    relayed: PositionWatch<Option<Relayed>>,
    work: Notify,
    ephemeral_bus: EphemeralChannel,
    watchers: Watchers,
    closed_rooms: ClosedRoomWatchers,
}

impl Waiters {
    /// Passes a signal to the waiters of its channel.
    fn dispatch(&self, notification: &Notification) {
        match notification.channel() {
            FEED => match notification.payload().parse() {
                Ok(position) => self.feed.advance(Position(position)),
                Err(_) => self.feed.missed(),
            },
            FEED_RELAYED => match relayed(notification.payload()) {
                Some(relayed) => self.relayed.set(Some(relayed)),
                None => self.relayed.missed(),
            },
            EPHEMERALS => {
                if self.ephemeral_bus.has_listeners()
                    && let Some(event) = EphemeralEvent::parse(notification.payload())
                {
                    self.ephemeral_bus.publish(event);
                }
            }
            IDENTITIES => self.watchers.changed(notification.payload()),
            CLOSED_ROOMS => self.closed_rooms.closed(&RoomId::new(notification.payload())),
            _ => self.work.notify_one(),
        }
    }
}

/// Caches of users. Each gets the changes that happen while the connection listens for them.
#[derive(Default)]
struct Watchers(Mutex<WatcherList>);

#[derive(Default)]
struct WatcherList {
    watchers: Vec<Weak<dyn UserWatcher>>,
    is_listening: bool,
}

impl Watchers {
    fn add(&self, watcher: &Arc<dyn UserWatcher>) {
        let mut list = lock(&self.0);
        list.watchers.push(Arc::downgrade(watcher));
        if list.is_listening {
            watcher.listening(true);
        }
    }

    /// Notifies the watchers that the connection listens from now on, or no longer.
    fn listening(&self, is_listening: bool) {
        let mut list = lock(&self.0);
        list.is_listening = is_listening;
        list.notify(|watcher| watcher.listening(is_listening));
    }

    /// Notifies the watchers of a changed user. The payload holds the localpart and the Hub's user id.
    fn changed(&self, payload: &str) {
        if let Some((localpart, user)) = payload.split_once(' ') {
            let user = HubUserId::new(user);
            lock(&self.0).notify(|watcher| watcher.changed(&user, localpart));
        }
    }
}

impl WatcherList {
    /// Calls each watcher, and removes those that were dropped.
    fn notify(&mut self, call: impl Fn(&dyn UserWatcher)) {
        self.watchers.retain(|watcher| watcher.upgrade().inspect(|watcher| call(watcher.as_ref())).is_some());
    }
}

/// Caches of rooms. Each gets the rooms that are closed while the connection listens for them.
#[derive(Default)]
struct ClosedRoomWatchers(Mutex<Vec<Weak<dyn ClosedRoomWatcher>>>);

impl ClosedRoomWatchers {
    /// Notifies the watchers of a closed room, and removes those that were dropped.
    fn closed(&self, room: &RoomId) {
        lock(&self.0).retain(|watcher| watcher.upgrade().inspect(|watcher| watcher.closed(room)).is_some());
    }
}

impl PgListener {
    pub(crate) fn new(connector: Connector) -> Self {
        Self::with(Some(connector))
    }

    /// Returns that of a process without a database.
    pub(crate) fn absent() -> Self {
        Self::with(None)
    }

    fn with(connector: Option<Connector>) -> Self {
        Self { connector, waiters: Arc::default(), channels: Arc::default(), task: OnceLock::new() }
    }

    /// Waits until the event log may have events after a position, at most as long as `patience`.
    pub(crate) async fn wait_beyond(&self, position: Position, patience: Duration) {
        self.listen(FEED);
        let _ = timeout(patience, self.waiters.feed.beyond(position)).await;
    }

    /// Stores that the event log has this position, and wakes the reader.
    pub(crate) fn advance_head(&self, position: Position) {
        self.waiters.feed.advance(position);
    }

    /// Returns the last signal of a relay; `None` if later ones may have been missed.
    pub(crate) fn last_relayed(&self) -> Option<Relayed> {
        self.waiters.relayed.last()
    }

    /// Waits until the copy of the event log may have events after a position, at most as long as `patience`.
    pub(crate) async fn wait_relayed(&self, position: Position, patience: Duration) {
        self.listen(FEED_RELAYED);
        let _ = timeout(patience, self.waiters.relayed.beyond(position)).await;
    }

    /// Waits until there may be work for the worker, at most as long as `patience`.
    pub(crate) async fn wait_for_work(&self, patience: Duration) {
        self.listen(WORK);
        let _ = timeout(patience, self.waiters.work.notified()).await;
    }

    /// Returns the ephemeral events from the moment at which the connection listens.
    pub(crate) fn ephemeral_bus(&self) -> BoxStream<'static, EphemeralEvent> {
        self.listen(EPHEMERALS);
        self.waiters.ephemeral_bus.listen()
    }

    /// Registers a watcher of users.
    pub(crate) fn watch(&self, watcher: &Arc<dyn UserWatcher>) {
        self.waiters.watchers.add(watcher);
        self.listen(IDENTITIES);
    }

    /// Registers a watcher of closed rooms.
    pub(crate) fn watch_closed_rooms(&self, watcher: &Arc<dyn ClosedRoomWatcher>) {
        lock(&self.waiters.closed_rooms.0).push(Arc::downgrade(watcher));
        self.listen(CLOSED_ROOMS);
    }

    /// Adds a channel, and starts the connection with the first one.
    fn listen(&self, channel: &'static str) {
        self.channels.send_if_modified(|channels| {
            let is_new = !channels.contains(&channel);
            if is_new {
                channels.push(channel);
            }
            is_new
        });
        let Some(connector) = &self.connector else { return };
        self.task.get_or_init(|| {
            let (connector, waiters, channels) =
                (connector.clone(), self.waiters.clone(), self.channels.clone());
            tokio::spawn(async move { keep_receiving(&connector, &waiters, &channels).await })
        });
    }
}

impl Drop for PgListener {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// Receives signals for ever. A connection that cannot be opened is logged once.
async fn keep_receiving(
    connector: &Connector,
    waiters: &Waiters,
    channels: &watch::Sender<Vec<&'static str>>,
) {
    let mut is_known = false;
    loop {
        match connector.open().await {
            Ok((client, connection)) => {
                is_known = false;
                if let Err(error) = receive(client, connection, waiters, channels.subscribe()).await {
                    tracing::debug!(%error, "LISTEN connection lost; reconnecting");
                }
                waiters.watchers.listening(false);
                waiters.relayed.set(None);
            }
            Err(error) if !is_known => {
                is_known = true;
                let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                tracing::warn!(
                    cause,
                    "opening the LISTEN connection failed; events come up to a second late"
                );
            }
            Err(_) => {}
        }
        sleep(RECONNECT_DELAY).await;
    }
}

/// Receives signals until the connection ends.
async fn receive(
    client: Client,
    mut connection: PgConnection,
    waiters: &Waiters,
    mut channels: watch::Receiver<Vec<&'static str>>,
) -> Result<(), tokio_postgres::Error> {
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let receiving = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message? {
                waiters.dispatch(&notification);
            }
        }
        Ok(())
    };
    let subscribing = async {
        let mut count = 0;
        loop {
            let all = channels.borrow_and_update().clone();
            for channel in all.iter().skip(count) {
                client.batch_execute(&format!("listen {channel}")).await?;
                if *channel == IDENTITIES {
                    waiters.watchers.listening(true);
                }
            }
            count = all.len();
            // Signals before the `listen` are lost: the waiters query the database once.
            waiters.feed.missed();
            waiters.work.notify_one();
            waiters.relayed.missed();
            if channels.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        ended = receiving => ended,
        ended = subscribing => ended,
    }
}

/// Parses the signal of a relay: the id of the copy, and its position.
fn relayed(payload: &str) -> Option<Relayed> {
    let (copy, position) = payload.split_once(' ')?;
    Some(Relayed { copy: copy.to_owned(), position: Position(position.parse().ok()?) })
}
