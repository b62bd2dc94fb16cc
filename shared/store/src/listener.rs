//! Being told of changes by `LISTEN`: one connection of its own for each process. A signal is a hint: whoever waits
//! for one also looks on their own. An ephemeral event is all there is of it: it is lost where nobody listens.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use futures::{StreamExt as _, stream, stream::BoxStream};
use messenger_core::{
    ephemeral::EphemeralEvent,
    id::{HubUserId, Position},
    live::ephemeral_channel::EphemeralChannel,
    port::UserWatcher,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Config, NoTls};

/// Pause before the next attempt to connect.
const PAUSE: Duration = Duration::from_millis(500);
/// The channels of `migrations/`, and that of ephemeral events.
const FEED: &str = "feed";
const WORK: &str = "work";
const EPHEMERALS: &str = "ephemeral_events";
const IDENTITIES: &str = "identities";

/// What the listening connection hears. Each signal has one waiter at a time and is remembered until it waits.
pub(crate) struct PgListener {
    config: Config,
    heard: Arc<Heard>,
    /// The channels that somebody has waited for: a process is not woken for the others.
    wanted: Arc<watch::Sender<Vec<&'static str>>>,
    listener: OnceLock<JoinHandle<()>>,
}

/// Those who wait for what the connection hears.
#[derive(Default)]
struct Heard {
    feed: HeadWatch,
    work: Notify,
    ephemeral_bus: EphemeralChannel,
    watchers: Watchers,
}

/// Those who remember users. Each is told of changes from the moment in which the connection listens for them.
#[derive(Default)]
struct Watchers(Mutex<Watching>);

#[derive(Default)]
struct Watching {
    watchers: Vec<Weak<dyn UserWatcher>>,
    is_listening: bool,
}

impl Watchers {
    fn add(&self, watcher: &Arc<dyn UserWatcher>) {
        let mut watching = self.lock();
        watching.watchers.push(Arc::downgrade(watcher));
        if watching.is_listening {
            watcher.listening(true);
        }
    }

    fn listening(&self, is_listening: bool) {
        let mut watching = self.lock();
        watching.is_listening = is_listening;
        watching.tell(|watcher| watcher.listening(is_listening));
    }

    /// Passes on the payload of a signal: the localpart and the Hub's id of a user.
    fn changed(&self, payload: &str) {
        if let Some((localpart, user)) = payload.split_once(' ') {
            let user = HubUserId::new(user);
            self.lock().tell(|watcher| watcher.changed(&user, localpart));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    fn tell(&mut self, tell: impl Fn(&dyn UserWatcher)) {
        self.watchers.retain(|watcher| watcher.upgrade().inspect(|watcher| tell(watcher.as_ref())).is_some());
    }
}

/// How far the event log is said to reach.
#[derive(Default)]
struct HeadWatch {
    until: watch::Sender<i64>,
    /// It may have grown, nobody knows how far.
    unknown: Notify,
}

impl HeadWatch {
    fn tell(&self, position: i64) {
        self.until.send_if_modified(|until| {
            let is_news = *until < position;
            *until = position.max(*until);
            is_news
        });
    }

    /// Waits until it reaches beyond a position.
    async fn beyond(&self, position: Option<Position>) {
        let mut until = self.until.subscribe();
        let read = position.map_or(i64::MIN, |position| position.0);
        tokio::select! {
            // It ends only with the sender, which is ours.
            _ = until.wait_for(|until| *until > read) => {}
            () = self.unknown.notified() => {}
        }
    }
}

impl PgListener {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, heard: Arc::default(), wanted: Arc::default(), listener: OnceLock::new() }
    }

    /// Waits until the event log may reach beyond the position up to which it was read.
    pub(crate) async fn feed(&self, read: Option<Position>, patience: Duration) {
        self.listen(FEED);
        let _ = timeout(patience, self.heard.feed.beyond(read)).await;
    }

    /// The event log reaches up to here.
    pub(crate) fn grown(&self, until: Position) {
        self.heard.feed.tell(until.0);
    }

    /// Waits for something to do.
    pub(crate) async fn work(&self, patience: Duration) {
        self.listen(WORK);
        let _ = timeout(patience, self.heard.work.notified()).await;
    }

    /// Ephemeral events from the moment at which the connection listens.
    pub(crate) fn ephemeral_bus(&self) -> BoxStream<'static, EphemeralEvent> {
        self.listen(EPHEMERALS);
        self.heard.ephemeral_bus.listen()
    }

    /// Tells a watcher of changes of users as soon as the connection listens.
    pub(crate) fn watch(&self, watcher: &Arc<dyn UserWatcher>) {
        self.heard.watchers.add(watcher);
        self.listen(IDENTITIES);
    }

    fn listen(&self, channel: &'static str) {
        self.wanted.send_if_modified(|wanted| {
            let is_new = !wanted.contains(&channel);
            if is_new {
                wanted.push(channel);
            }
            is_new
        });
        self.listener.get_or_init(|| {
            let (config, heard, wanted) = (self.config.clone(), self.heard.clone(), self.wanted.clone());
            tokio::spawn(async move {
                loop {
                    if let Err(error) = hear(&config, &heard, wanted.subscribe()).await {
                        tracing::debug!(%error, "not listening");
                    }
                    heard.watchers.listening(false);
                    sleep(PAUSE).await;
                }
            })
        });
    }
}

impl Drop for PgListener {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}

/// Listens until the connection ends.
async fn hear(
    config: &Config,
    heard: &Heard,
    mut wanted: watch::Receiver<Vec<&'static str>>,
) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    let hearing = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message? {
                match notification.channel() {
                    FEED => match notification.payload().parse() {
                        Ok(position) => heard.feed.tell(position),
                        Err(_) => heard.feed.unknown.notify_one(),
                    },
                    EPHEMERALS => {
                        if heard.ephemeral_bus.has_listeners()
                            && let Some(ephemeral) = EphemeralEvent::parse(notification.payload())
                        {
                            heard.ephemeral_bus.tell(ephemeral);
                        }
                    }
                    IDENTITIES => heard.watchers.changed(notification.payload()),
                    _ => heard.work.notify_one(),
                }
            }
        }
        Ok(())
    };
    let listening = async {
        let mut count = 0;
        loop {
            let channels = wanted.borrow_and_update().clone();
            for channel in channels.iter().skip(count) {
                client.batch_execute(&format!("listen {channel}")).await?;
                if *channel == IDENTITIES {
                    heard.watchers.listening(true);
                }
            }
            count = channels.len();
            // What happened while nobody listened is caught up by looking.
            heard.feed.unknown.notify_one();
            heard.work.notify_one();
            if wanted.changed().await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        ended = hearing => ended,
        refused = listening => refused,
    }
}
