//! Writes the items of events.

use std::time::Duration;

use messenger_core::{Result, id::Position, port::RecordedEvent};

use super::{DynamoRelay, Ended, lease::Held, pauses::Pauses};
use crate::{
    batch,
    item::{self, Item},
};

/// The first pause after a refusal because of too many requests.
const THROTTLED_PAUSE: Duration = Duration::from_millis(50);

impl DynamoRelay {
    /// Writes the earlier events about redacted messages again, which the redaction has emptied.
    pub(super) async fn write_again(
        &self,
        lease: &mut Held,
        until: Position,
        redactions: &[&RecordedEvent],
    ) -> Result<(), Ended> {
        let messages: Vec<_> =
            redactions.iter().filter_map(|recorded| recorded.event.about.clone()).collect();
        let events = self.ports.source.recorded_about(&messages, until).await?;
        self.write(lease, &events).await
    }

    /// Writes block items, then audience items. In this order a block has every position of which an
    /// audience item may exist.
    pub(super) async fn write(&self, lease: &mut Held, events: &[RecordedEvent]) -> Result<(), Ended> {
        let (keys, retention) = (lease.keys().clone(), self.retention);
        let of_block = |one: &RecordedEvent| item::of_event(keys.block(one.event.position.0), one, retention);
        let of_audience =
            |one: &RecordedEvent| item::of_event(keys.audience(&one.event.audience), one, retention);
        self.write_items(lease, events, of_block).await?;
        self.write_items(lease, events, of_audience).await
    }

    /// Writes the item of each event. Those that are refused because of too many requests are written again,
    /// ever later.
    async fn write_items(
        &self,
        lease: &mut Held,
        events: &[RecordedEvent],
        item: impl Fn(&RecordedEvent) -> Item + Sync,
    ) -> Result<(), Ended> {
        if events.is_empty() {
            return Ok(());
        }
        let mut pauses = Pauses::new(THROTTLED_PAUSE);
        lease.keep().await?;
        let mut before = events.len();
        let mut open = self.table.write(events, |event| batch::put(item(event))).await?;
        while !open.is_empty() {
            if open.len() < before {
                pauses.reset();
            }
            before = open.len();
            pauses.next().await;
            lease.keep().await?;
            open = self.table.write(&open, |request| Ok(request.clone())).await?;
        }
        Ok(())
    }
}
