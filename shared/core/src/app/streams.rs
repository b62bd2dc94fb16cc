//! Readers of the event log: replay from a cursor, then live, without hole or repeat in between.

mod poll;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::json;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::{
    app::user_directory::UserDirectory,
    domain::{
        audiences::Audiences,
        cursor::{Gap, parse_cursor},
        error::{Error, Result},
        id::Position,
        settings::MessengerSettings,
        time::Rfc3339,
        user::{Caller, User, superseded},
    },
    live::{
        broker::{Broker, Missed, Subscription},
        event_stream::EventStream,
    },
    port::{self, Ports},
};

/// How many streams are opened at once. A crowd that returns together is served one after the other, and what is live
/// meanwhile waits behind a few openings, not behind all.
const OPENINGS: usize = 2;
/// What a browser waits before it returns, in milliseconds (WHATWG HTML, "Server-sent events", `retry`).
const RETRY_MS: u32 = 3000;

/// How long somebody waits for their permit to be let in.
const PATIENCE: Duration = Duration::from_secs(5);

/// An opening of more bytes keeps its permit until it is written: a crowd that returns is then served one after the other,
/// and what is live goes in between.
const LARGE: usize = 64 << 10;

/// How long it keeps its permit at the most: a slow reader holds nobody else up.
const PERMIT_MAX: Duration = Duration::from_millis(50);

/// How often an audience is read again because a membership changed meanwhile.
const AUDIENCE_TRIES: usize = 20;

/// Opens streams and answers polls.
pub struct Streams {
    feed: Arc<dyn port::Feed>,
    memberships: Arc<dyn port::Memberships>,
    cursors: Arc<dyn port::Cursors>,
    clock: Arc<dyn port::Clock>,
    broker: Arc<Broker>,
    directory: Arc<UserDirectory>,
    settings: Arc<MessengerSettings>,
    /// The permits to open a stream.
    openings: Arc<Semaphore>,
}

impl Streams {
    pub(crate) fn new(
        ports: &Ports,
        broker: &Arc<Broker>,
        directory: &Arc<UserDirectory>,
        settings: &Arc<MessengerSettings>,
    ) -> Self {
        Self {
            feed: ports.feed.clone(),
            memberships: ports.memberships.clone(),
            cursors: ports.cursors.clone(),
            clock: ports.clock.clone(),
            broker: broker.clone(),
            directory: directory.clone(),
            settings: settings.clone(),
            openings: Arc::new(Semaphore::new(OPENINGS)),
        }
    }

    /// Opens a stream for a caller, from the cursor they bring or from now.
    pub async fn subscribe(&self, caller: &Caller, cursor: Option<&str>) -> Result<EventStream> {
        self.broker.ready().await?;
        let permit = timeout(PATIENCE, self.openings.clone().acquire_owned()).await.map_err(|_| busy())?;
        let wanted = match cursor.map(parse_cursor) {
            Some(Some(cursor)) if self.is_beyond(cursor).await? => Some(None),
            wanted => wanted,
        };
        let (audience, subscription) = self.add_subscription(caller, wanted.flatten()).await?;
        let at = subscription.at;
        // From here on nothing is missed; and dropping the event stream, on any error, ends the subscription.
        let mut event_stream = EventStream::silent(&self.broker, subscription);
        let (start, replay) = match wanted {
            None => (at, Ok(Vec::new())),
            Some(None) => (at, Err(Gap::Unknown)),
            Some(Some(cursor)) => match self.replay(cursor, at, &audience).await? {
                Ok(frames) => (cursor, Ok(frames)),
                Err(gap) => (at, Err(gap)),
            },
        };
        let preamble = self.preamble(caller, start, replay);
        if preamble.len() > LARGE {
            let (writing, written) = oneshot::channel();
            event_stream.permit = Some(writing);
            tokio::spawn(async move {
                let _ = timeout(PERMIT_MAX, written).await;
                drop(permit);
            });
        }
        event_stream.preamble = Some(preamble);
        Ok(event_stream)
    }

    /// Returns the audiences of a user, as stored now.
    ///
    /// # Errors
    /// `token_superseded` if the user is of another tenant by now.
    pub(crate) async fn audience(&self, user: &User) -> Result<Audiences> {
        let tenant = user.tenant();
        let listener = self.memberships.listener(tenant, user.id()).await?;
        if listener.as_ref().is_none_or(|listener| listener.role != user.identity.role) {
            // The signal of a change got lost: whoever asks next is told by the store.
            self.directory.forget(user);
        }
        Ok(Audiences::of(user, listener.ok_or_else(superseded)?.rooms))
    }

    /// Adds a connection whose audience is true at the position where it begins.
    pub(crate) async fn add_subscription(
        &self,
        caller: &Caller,
        after: Option<Position>,
    ) -> Result<(Audiences, Subscription)> {
        for _ in 0..AUDIENCE_TRIES {
            let memberships = self.broker.memberships();
            let audience = self.audience(&caller.user).await?;
            if let Some(subscription) =
                self.broker.subscribe(&audience, after, caller.expires_at, memberships)
            {
                return Ok((audience, subscription));
            }
        }
        Err(busy())
    }

    /// Whether no event has this position yet. The process that gave it may be ahead of this one: then it is known to
    /// the log, and what lies between is no hole, only not here yet.
    async fn is_beyond(&self, cursor: Position) -> Result<bool> {
        Ok(cursor > self.broker.position() && cursor > self.feed.span().await?.head)
    }

    /// What the audience heard between the cursor and the place where the live part begins.
    async fn replay(
        &self,
        cursor: Position,
        at: Position,
        audience: &Audiences,
    ) -> Result<Result<Vec<Bytes>, Gap>> {
        let limit = self.settings.replay_max;
        if cursor >= at {
            return Ok(Ok(Vec::new()));
        }
        match self.broker.missed(cursor, at, audience, limit) {
            Missed::Frames(frames) => return Ok(Ok(frames)),
            Missed::TooMuch => return Ok(Err(Gap::TooFarBehind)),
            Missed::Older => {}
        }
        let read = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let events = self.feed.after(cursor, audience, read).await?;
        // Asked afterwards: what is dropped while we read is noticed.
        if cursor < self.feed.span().await?.trimmed {
            return Ok(Err(Gap::Expired));
        }
        let is_too_much = events.len() > limit && events[limit].position <= at;
        let missed = events.iter().take_while(|event| event.position <= at);
        let missed = missed.filter(|event| audience.includes(&event.audience, event.position));
        let missed: Vec<_> = missed.map(|event| event.frame().sse).collect();
        Ok(if is_too_much { Err(Gap::TooFarBehind) } else { Ok(missed) })
    }

    /// Returns the first bytes: one block with `retry`, the cursor as `id` and `connected` as `data`, then the missed
    /// events. Every block has data: some clients take one without for an empty message.
    fn preamble(&self, caller: &Caller, start: Position, replay: Result<Vec<Bytes>, Gap>) -> Bytes {
        let connected = json!({
            "type": "connected",
            "cursor": start,
            "server_time": Rfc3339(self.clock.now()),
            "token_expires_at": Rfc3339(caller.expires_at),
        });
        let mut preamble = format!("retry: {RETRY_MS}\nid: {start}\ndata: {connected}\n\n");
        match replay {
            Ok(frames) => {
                let mut bytes = preamble.into_bytes();
                bytes.extend(frames.iter().flatten());
                Bytes::from(bytes)
            }
            Err(gap) => {
                let reset = json!({ "type": "reset", "reason": gap.as_str() });
                // Writing to a String cannot fail.
                let _ = write!(preamble, "id: {start}\ndata: {reset}\n\n");
                Bytes::from(preamble)
            }
        }
    }
}

fn busy() -> Error {
    Error::Busy { retry_after: Duration::from_secs(1) }
}
