//! Following the event log as it happens: replay from a cursor, then live, without hole or repeat in between.

use std::{
    convert::Infallible,
    fmt::Write as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, future};
use serde_json::json;
use tokio::{sync::oneshot, time::timeout};

use crate::{
    Error, Messenger, Result,
    audiences::Audiences,
    broker::{Broker, ConnectionId, Missed, Subscription},
    id::Position,
    send_buffer::SendBuffer,
    time::Rfc3339,
    user::{Caller, User, superseded},
};

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

/// One stream: yields pieces of `text/event-stream`. Dropping it ends the subscription.
pub struct EventStream {
    broker: Arc<Broker>,
    id: ConnectionId,
    send_buffer: Arc<SendBuffer>,
    preamble: Option<Bytes>,
    /// Ends the permit of the opening when it is dropped: whoever asks for the next piece has written it.
    permit: Option<oneshot::Sender<()>>,
}

/// Why a reader has a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The cursor is no position of this log.
    Unknown,
    /// What comes after the cursor has been dropped.
    Expired,
    /// More than [`replay_max`](crate::Settings::replay_max) events.
    TooFarBehind,
}

impl Gap {
    /// The value of `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_position",
            Self::Expired => "expired",
            Self::TooFarBehind => "too_far_behind",
        }
    }
}

/// Where a reader wants to go on: the text of `Last-Event-ID`, which is the client's word.
pub(crate) fn parse_cursor(cursor: &str) -> Option<Position> {
    cursor.trim().parse().ok().filter(|position| *position >= 0).map(Position)
}

impl Messenger {
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
        let mut event_stream = EventStream::silent(self, subscription);
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
            self.signed_in.forget(user);
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
        let missed = missed.filter(|event| audience.hears(&event.audience, event.position));
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

impl EventStream {
    /// An event stream that is woken by events of the log, and by nothing that is not in it.
    pub(crate) fn of_the_log(messenger: &Messenger, subscription: Subscription) -> Self {
        subscription.send_buffer.decline();
        Self::silent(messenger, subscription)
    }

    /// An event stream without first bytes.
    fn silent(messenger: &Messenger, Subscription { id, send_buffer, .. }: Subscription) -> Self {
        Self { broker: messenger.broker.clone(), id, send_buffer, preamble: None, permit: None }
    }

    /// Waits for the next piece.
    pub async fn next(&mut self) -> Option<Bytes> {
        future::poll_fn(|context| self.poll_piece(context)).await
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(preamble) = self.preamble.take() {
            return Poll::Ready(Some(preamble));
        }
        self.permit = None;
        self.send_buffer.poll_take(context)
    }
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_piece(context).map(|piece| piece.map(Ok))
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.broker.unsubscribe(self.id);
    }
}
