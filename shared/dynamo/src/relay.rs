//! Copies the event log from the database: block items, then audience items, then the head. Before the head,
//! also the rights of users that have changed up to it.
//!
//! Positions are dense and in the order of their commits, so all relays write the same items. Each may
//! end anywhere: the next one begins after the head.

mod lease;
mod leftovers;
mod pauses;
mod readers;
mod writes;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use messenger_core::{
    Error, FeedCopySettings, Result,
    cursor::Span,
    error::Failure,
    id::Position,
    port::{FeedCopyPorts, RecordedEvent, Relay, RelayFigures},
};
use tokio::time::sleep;

use crate::{
    error::{fault, is_table_missing},
    table::{Head, Table},
};
use lease::Held;
use pauses::Pauses;

/// The most events that are copied at once.
const EVENTS: i64 = 500;
/// The most bytes of payloads that are copied at once, beside those of a single event.
const BYTES: usize = 1 << 20;
/// The longest time between two looks at the log without a signal.
const POLL: Duration = Duration::from_secs(1);
/// The pause after which a relay without the lease asks for it again.
const WAIT: Duration = Duration::from_secs(1);
/// The time after which the relay notes again that it works.
const POINT: Duration = Duration::from_secs(30);
/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const COPYING: &str = "copying the event log";

/// The relay to DynamoDB.
pub struct DynamoRelay {
    table: Arc<Table>,
    ports: FeedCopyPorts,
    retention: Duration,
    installation: String,
}

/// The end of the work of a relay that holds the lease.
enum Ended {
    /// Another relay has the lease, or has moved the head.
    Lost,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl DynamoRelay {
    /// Takes the table of the copy, the ports of its database, and the settings.
    pub fn new(table: Arc<Table>, ports: FeedCopyPorts, settings: &FeedCopySettings) -> Self {
        let (retention, installation) = (settings.retention, settings.installation.clone());
        Self { table, ports, retention, installation }
    }

    /// Copies events while this relay holds the lease. Calls `works` after each success, and `copied` if that copied
    /// events.
    async fn run_leased(
        &self,
        relay: &str,
        copied: &(dyn Fn() + Send + Sync),
        mut works: impl FnMut() + Send,
    ) -> Result<(), Ended> {
        let mut lease = Held::claim(&self.ports, relay, self.retention).await?;
        let mut head = self.begin(&mut lease).await?;
        self.remove_leftovers(&mut lease, head.position()).await?;
        // The relay before may have ended before it stored this.
        lease.relayed(head.position()).await?;
        tracing::debug!(relay, copy = lease.keys().copy(), position = head.position().0, "relay begins");
        let mut pointed = None;
        loop {
            let (moved, has_copied) = self.look(&mut lease, head).await?;
            head = moved;
            works();
            if pointed.is_none_or(|at: Instant| at.elapsed() > POINT) {
                self.point(&mut lease).await?;
                pointed = Some(Instant::now());
            }
            if has_copied {
                copied();
            } else {
                self.ports.feed.wait_beyond(head.position(), POLL).await;
            }
        }
    }

    /// Copies the events after the head. Returns the new head, and whether there were events.
    async fn look(&self, lease: &mut Held, head: Head) -> Result<(Head, bool), Ended> {
        let mut events = self.ports.source.recorded(head.position(), EVENTS).await?;
        // Read after the events: these are all changes up to the last of them.
        let head = self.copy_readers(lease, head).await?;
        if events.is_empty() {
            let head = self.follow_rotation(lease, head).await?;
            lease.keep().await?;
            return Ok((head, false));
        }
        let is_whole = shorten(&mut events);
        Ok((self.copy(lease, head, &events, is_whole).await?, true))
    }

    /// Returns the head of the copy. Begins another copy if this one is gone or of another log.
    async fn begin(&self, lease: &mut Held) -> Result<Head, Ended> {
        let head = match self.table.head(lease.keys()).await {
            Err(error) if is_table_missing(&error) => {
                tracing::warn!(
                    table = self.table.name(),
                    "the table of the copy does not exist: creating it"
                );
                self.table.create().await?;
                None
            }
            head => head?,
        };
        match head {
            Some(head) if head.position().max(head.readers) <= lease.announced() => return Ok(head),
            None if lease.announced() == Position(0) => {}
            other => {
                let (copy, announced) = (lease.keys().copy(), lease.announced().0);
                let position = other.map(|head| head.position().0);
                tracing::warn!(
                    copy,
                    announced,
                    position,
                    "the copy is gone or of another log, as after a restore: copying again"
                );
                lease.replace().await?;
            }
        }
        let Span { trimmed, head } = self.ports.feed.span().await?;
        let (span, is_complete) = (Span { trimmed, head: trimmed }, head == trimmed);
        let head = Head { span, is_complete, readers: Position(0) };
        if !self.table.create_head(lease.keys(), head).await? {
            return Err(Ended::Lost);
        }
        // Readers of the copy before see at once that theirs is over.
        self.point(lease).await?;
        Ok(head)
    }

    /// Copies events that follow the head, and moves it behind them. `is_whole`: the log had no others.
    async fn copy(
        &self,
        lease: &mut Held,
        head: Head,
        events: &[RecordedEvent],
        is_whole: bool,
    ) -> Result<Head, Ended> {
        let from = head.position();
        let mut moved = head;
        if !are_dense(from, events) {
            // A worker that does not know of the copy has dropped events.
            moved.span.trimmed = self.ports.feed.span().await?.trimmed;
            if !are_dense(moved.span.trimmed.max(from), events) {
                return Err(fault(Failure::Broken, COPYING, "the event log has a gap").into());
            }
        }
        let Some(last) = events.last() else { return Ok(head) };
        moved.span.head = last.event.position;
        let redacted: Vec<_> = events.iter().filter(|recorded| recorded.event.is_redaction).collect();
        self.write(lease, events).await?;
        if !redacted.is_empty() {
            self.write_again(lease, from, &redacted).await?;
        }
        moved.is_complete |= is_whole;
        lease.announce(moved.position()).await?;
        if !self.table.move_head(lease.keys(), from, moved).await? {
            // Meanwhile a redaction may have emptied an event that was just written with its content.
            let events = self.ports.source.recorded(from, EVENTS).await?;
            self.write(lease, &events).await?;
            return Err(Ended::Lost);
        }
        lease.relayed(moved.position()).await?;
        Ok(moved)
    }

    /// Excludes dropped events of the log from the copy, and completes a copy without further events.
    async fn follow_rotation(&self, lease: &Held, head: Head) -> Result<Head, Ended> {
        let span = self.ports.feed.span().await?;
        let trimmed = span.trimmed.min(head.position());
        let is_complete = head.is_complete || head.position() >= span.head;
        let followed = Head { span: Span { trimmed, ..head.span }, is_complete, ..head };
        if followed == head {
            return Ok(head);
        }
        if self.table.move_head(lease.keys(), head.position(), followed).await? {
            Ok(followed)
        } else {
            Err(Ended::Lost)
        }
    }
}

#[async_trait]
impl Relay for DynamoRelay {
    async fn run(&self, relay: &str, copied: &(dyn Fn() + Send + Sync)) {
        let mut pauses = Pauses::new(FIRST_PAUSE);
        let mut is_failing = false;
        loop {
            let leased = self.run_leased(relay, copied, || {
                if std::mem::take(&mut is_failing) {
                    tracing::info!("the event log is copied again");
                }
                pauses.reset();
            });
            let Err(ended) = leased.await else { continue };
            match ended {
                Ended::Lost => sleep(WAIT).await,
                Ended::Failed(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(error, "copying the event log failed; retrying");
                    }
                    pauses.next().await;
                }
            }
        }
    }

    async fn release(&self, relay: &str) -> Result<()> {
        self.ports.copies.release(relay).await
    }

    fn figures(&self) -> RelayFigures {
        RelayFigures { throttled: self.table.throttled() }
    }
}

/// Shortens a page to [`BYTES`], but never to nothing. Returns whether it was and stays all that the log had.
fn shorten(events: &mut Vec<RecordedEvent>) -> bool {
    let mut bytes = 0;
    let is_within = |recorded: &&RecordedEvent| {
        bytes += recorded.event.payload.as_str().len();
        bytes <= BYTES
    };
    let count = events.iter().take_while(is_within).count().max(1);
    let is_whole = i64::try_from(events.len()).is_ok_and(|all| all < EVENTS) && count >= events.len();
    events.truncate(count);
    is_whole
}

/// Returns whether these events follow a position without a gap.
fn are_dense(after: Position, events: &[RecordedEvent]) -> bool {
    (after.0 + 1..).zip(events).all(|(position, recorded)| recorded.event.position.0 == position)
}
