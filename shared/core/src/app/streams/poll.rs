//! Answers polls: pages of the event log for clients that cannot hold a stream open.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::{
    app::streams::Streams,
    domain::{
        cursor::{Gap, PollPage, Since, Span, parse_cursor},
        error::Result,
        id::Position,
        user::Caller,
    },
    live::event_stream::EventStream,
};

impl Streams {
    /// Returns the caller's events after the cursor. Waits up to `wait` if there are none yet.
    ///
    /// Polls do not consume events: each reader receives all of them.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id())
    )]
    pub async fn poll(&self, caller: &Caller, since: &Since, wait: Duration) -> Result<PollPage> {
        let deadline = Instant::now() + wait;
        let span = self.feed.span().await?;
        let (from, stored) = match since {
            Since::Cursor(text) => (parse_cursor(text).ok_or(Gap::Unknown), None),
            Since::Reader(reader) => {
                let stored = self.cursors.load(caller.user.tenant(), caller.user.id(), reader).await?;
                let from = match stored {
                    // A stored cursor that was never assigned comes from another log: the database was restored.
                    Some(cursor) if !self.is_ahead(cursor, span).await? => cursor.min(span.head),
                    Some(cursor) => cursor,
                    None => span.head,
                };
                (Ok(from), stored)
            }
        };
        let mut page = self.page(caller, from, span).await?;
        if page.is_empty() && !wait.is_zero() {
            page = self.wait_for_page(caller, page.cursor, deadline).await?;
        }
        if let Since::Reader(reader) = since
            && stored != Some(page.cursor)
        {
            self.cursors.store(caller.user.tenant(), caller.user.id(), reader, page.cursor).await?;
        }
        Ok(page)
    }

    /// Waits until the caller has an event after the cursor, or until the deadline.
    async fn wait_for_page(&self, caller: &Caller, cursor: Position, deadline: Instant) -> Result<PollPage> {
        if let Ok(ready) = timeout_at(deadline, self.broker.ready()).await {
            ready?;
        }
        let (_, subscription) = self.add_subscription(caller, Some(cursor), &mut None).await?;
        let mut stream = EventStream::for_long_poll(&self.broker, subscription);
        loop {
            // Read after subscribing: earlier events are in the page, later ones wake the stream.
            let span = self.feed.span().await?;
            let page = self.page(caller, Ok(cursor), span).await?;
            if !page.is_empty() {
                return Ok(page);
            }
            match timeout_at(deadline, stream.next()).await {
                Err(_elapsed) => return Ok(page),
                Ok(Some(_)) => {}
                // The token or the process ends, or the user has moved to another tenant, which is an error.
                Ok(None) => return self.audience(&caller.user).await.map(|_| page),
            }
        }
    }

    /// Returns whether a cursor is of this log and beyond the events that can be read here.
    async fn is_ahead(&self, cursor: Position, span: Span) -> Result<bool> {
        Ok(cursor > span.head && self.feed.is_assigned(cursor).await?)
    }

    /// Returns the caller's events after a cursor, up to the limit of a page.
    async fn page(&self, caller: &Caller, from: Result<Position, Gap>, span: Span) -> Result<PollPage> {
        let reset = |gap| PollPage { events: Vec::new(), gap: Some(gap), cursor: span.head };
        let from = match from {
            Ok(head) if head == span.head => {
                return Ok(PollPage { events: Vec::new(), gap: None, cursor: head });
            }
            // The reader has all events up to its cursor from a process that is ahead of this one.
            Ok(from) if self.is_ahead(from, span).await? => {
                return Ok(PollPage { events: Vec::new(), gap: None, cursor: from });
            }
            Ok(from) => from,
            Err(gap) => return Ok(reset(gap)),
        };
        let audience = self.audience(&caller.user).await?;
        // The head was read before the events, so they include all events up to it.
        let cursor = from.max(span.head);
        Ok(match self.read(from, cursor, &audience).await? {
            Ok(events) => PollPage { events, gap: None, cursor }.up_to_withdrawal(),
            Err(gap) => reset(gap),
        })
    }
}
