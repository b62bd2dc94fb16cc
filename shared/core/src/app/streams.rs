//! Opens event streams: a replay from the cursor, then live events, without gap or repetition in between.

mod poll;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::timeout,
};

use crate::{
    app::user_directory::UserDirectory,
    domain::{
        audiences::Audiences,
        cursor::{Gap, Span, parse_cursor},
        error::{Error, Result},
        event::Event,
        id::{Position, TenantId},
        settings::MessengerSettings,
        time::Rfc3339,
        user::{Caller, User, revoked, superseded},
    },
    live::{
        broker::{Broker, Subscription},
        event_stream::EventStream,
        stream_counts::StreamCounts,
    },
    port::{self, Ports},
};

/// The most streams that are opened at once. When many clients reconnect together, live events wait for a few
/// replays only.
const PERMITS: usize = 2;

/// The reconnection time of clients in milliseconds (WHATWG HTML, "Server-sent events", `retry`).
const RETRY_MS: u32 = 3000;

/// The longest time that a request waits for its permit.
const PERMIT_WAIT: Duration = Duration::from_secs(5);

/// The longest time that a request waits for the broker to reach the position of its rights.
const RIGHTS_WAIT: Duration = Duration::from_secs(5);

/// The size above which a preamble keeps its permit until it is written. Clients that reconnect together are
/// then served one after the other, and live events are written in between.
const LARGE_PREAMBLE: usize = 64 << 10;

/// The longest time that a preamble keeps its permit, so that a slow reader does not delay others.
const PERMIT_MAX: Duration = Duration::from_millis(50);

/// The number of times that an audience is read because a membership changed meanwhile.
const AUDIENCE_TRIES: usize = 20;

/// The place in the log at which a stream starts.
enum Start {
    /// The end of the log.
    Now,
    /// The events after a cursor.
    After(Position),
    /// The end of the log, with a reset: the cursor is no position of it.
    Unknown,
}

/// The frames that a stream missed, or the reason for which it does not get them.
type Replay = Result<Vec<Bytes>, Gap>;

/// The engine that opens event streams and answers polls.
pub struct Streams {
    feed: Arc<dyn port::Feed>,
    memberships: Arc<dyn port::Memberships>,
    cursors: Arc<dyn port::Cursors>,
    clock: Arc<dyn port::Clock>,
    broker: Arc<Broker>,
    directory: Arc<UserDirectory>,
    settings: Arc<MessengerSettings>,
    /// The permits to open a stream.
    permits: Arc<Semaphore>,
    counts: Arc<StreamCounts>,
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
            permits: Arc::new(Semaphore::new(PERMITS)),
            counts: Arc::default(),
        }
    }

    /// Opens an event stream for a caller, from a cursor or from now.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id())
    )]
    pub async fn subscribe(&self, caller: &Caller, cursor: Option<&str>) -> Result<EventStream> {
        self.broker.ready().await?;
        let mut permit = Some(self.permit().await?);
        let start = self.start(cursor).await?;
        let after = if let Start::After(cursor) = start { Some(cursor) } else { None };
        let (audience, subscription) = self.add_subscription(caller, after, &mut permit).await?;
        let at = subscription.at;
        // The subscription misses nothing from here on. Dropping the event stream after an error ends it.
        let mut event_stream = EventStream::without_preamble(&self.broker, subscription);
        event_stream.counted = Some(self.counts.open(caller.user.tenant()));
        let replay = match start {
            Start::Now => Ok(Vec::new()),
            Start::Unknown => Err(Gap::Unknown),
            Start::After(cursor) => self.replay(cursor, at, &audience).await?,
        };
        // After a reset the reader continues where the live part begins.
        let id = after.filter(|_| replay.is_ok()).unwrap_or(at);
        let preamble = self.preamble(caller, id, replay);
        if preamble.len() > LARGE_PREAMBLE {
            let (writing, written) = oneshot::channel();
            event_stream.preamble_unread = Some(writing);
            tokio::spawn(async move {
                let _ = timeout(PERMIT_MAX, written).await;
                drop(permit);
            });
        }
        event_stream.preamble = Some(preamble);
        Ok(event_stream)
    }

    /// Returns the number of open event streams of this process for each tenant that ever had one.
    pub fn open_by_tenant(&self) -> Vec<(TenantId, i64)> {
        self.counts.all()
    }

    /// Returns the audiences of a user, as stored now.
    ///
    /// # Errors
    /// `token_superseded` if the user has moved to another tenant, and `token_revoked` if they were logged
    /// out since they were read.
    pub(crate) async fn audience(&self, user: &User) -> Result<Audiences> {
        Ok(self.audience_since(user).await?.0)
    }

    /// Returns the audiences of a user, as [`audience`](Self::audience) does, and the position that the
    /// broker must have reached before they serve for live events.
    async fn audience_since(&self, user: &User) -> Result<(Audiences, Position)> {
        let tenant = user.tenant();
        let rights = self.memberships.reader_rights(tenant, user.id()).await?;
        let is_current = rights.as_ref().is_some_and(|rights| {
            (rights.role, rights.logged_out_at) == (user.identity.role, user.logged_out_at)
        });
        if !is_current {
            // The signal of a change was lost: the next call reads the user from the store.
            self.directory.forget(user);
        }
        let rights = rights.ok_or_else(superseded)?;
        if rights.logged_out_at != user.logged_out_at {
            return Err(revoked());
        }
        Ok((Audiences::of(user, rights.rooms), rights.since))
    }

    /// Waits for a permit to open a stream.
    async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        timeout(PERMIT_WAIT, self.permits.clone().acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(busy)
    }

    /// Adds a connection whose audience is valid at the position where it begins. A permit is given up while
    /// this waits for the broker, so that the reader delays no other.
    pub(crate) async fn add_subscription(
        &self,
        caller: &Caller,
        after: Option<Position>,
        permit: &mut Option<OwnedSemaphorePermit>,
    ) -> Result<(Audiences, Subscription)> {
        for _ in 0..AUDIENCE_TRIES {
            let audience_changes = self.broker.audience_changes();
            let (audience, since) = self.audience_since(&caller.user).await?;
            if since > self.broker.position() {
                let had_permit = permit.take().is_some();
                timeout(RIGHTS_WAIT, self.broker.reach(since)).await.map_err(|_| behind())?;
                if had_permit {
                    *permit = Some(self.permit().await?);
                }
                continue;
            }
            if let Some(subscription) =
                self.broker.subscribe(&audience, after, caller.expires_at, audience_changes)
            {
                return Ok((audience, subscription));
            }
        }
        Err(busy())
    }

    /// Returns the place at which the stream of a reader with this cursor starts.
    async fn start(&self, cursor: Option<&str>) -> Result<Start> {
        Ok(match cursor.map(parse_cursor) {
            None => Start::Now,
            Some(Some(cursor)) if !self.is_beyond(cursor).await? => Start::After(cursor),
            Some(_) => Start::Unknown,
        })
    }

    /// Returns whether no event has this position yet.
    ///
    /// The process that issued the cursor may be ahead of this one. The log knows the position then, and this
    /// broker will read the events in between.
    async fn is_beyond(&self, cursor: Position) -> Result<bool> {
        Ok(cursor > self.broker.position() && !self.feed.is_assigned(cursor).await?)
    }

    /// Returns the frames between the cursor and the position where the live part begins.
    async fn replay(&self, cursor: Position, at: Position, audience: &Audiences) -> Result<Replay> {
        if cursor >= at {
            return Ok(Ok(Vec::new()));
        }
        let limit = self.settings.replay_max;
        let Some(frames) = self.broker.missed(cursor, at, audience, limit.saturating_add(1)) else {
            let events = self.read(cursor, at, audience).await?;
            return Ok(events.map(|events| events.iter().map(|event| event.frame().sse).collect()));
        };
        // The broker keeps all events after this cursor, even if the log does not any more.
        let kept = Span { trimmed: cursor, head: at };
        Ok(Gap::of(cursor, kept, frames.len(), limit).map_or(Ok(frames), Err))
    }

    /// Returns the audience's events between two positions, or the reason for a gap.
    pub(crate) async fn read(
        &self,
        cursor: Position,
        until: Position,
        audience: &Audiences,
    ) -> Result<Result<Vec<Event>, Gap>> {
        let limit = self.settings.replay_max;
        let read = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut events = self.feed.after(cursor, audience, read).await?;
        events.retain(|event| event.position <= until);
        // Query the span after the events, to notice those that were dropped in between.
        let span = self.feed.span().await?;
        Ok(Gap::of(cursor, span, events.len(), limit).map_or(Ok(events), Err))
    }

    /// Returns the first bytes: one block with `retry`, the cursor as `id` and `connected` as `data`, then
    /// the missed events. Every block has `data`, since some clients dispatch a block without it as an empty
    /// message.
    fn preamble(&self, caller: &Caller, id: Position, replay: Replay) -> Bytes {
        let connected = json!({
            "type": "connected",
            "cursor": id,
            "server_time": Rfc3339(self.clock.now()),
            "token_expires_at": Rfc3339(caller.expires_at),
            "app_version": self.settings.app_version,
        });
        let mut preamble = format!("retry: {RETRY_MS}\nid: {id}\ndata: {connected}\n\n");
        match replay {
            Ok(frames) => {
                let mut bytes = preamble.into_bytes();
                bytes.extend(frames.iter().flatten());
                Bytes::from(bytes)
            }
            Err(gap) => {
                let reset = json!({ "type": "reset", "reason": gap.as_str() });
                // Writing to a String cannot fail.
                let _ = write!(preamble, "id: {id}\ndata: {reset}\n\n");
                Bytes::from(preamble)
            }
        }
    }
}

fn behind() -> Error {
    Error::not_ready("the events up to your last change of rooms are not read here yet: try again")
}

fn busy() -> Error {
    Error::Busy { retry_after: Duration::from_secs(1) }
}
