//! The table: its client, its schema, and the operations on its items.

mod head;
mod pointer;
mod readers;
mod schema;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::Client;
use messenger_core::{FeedCopySettings, Result, event::Event, id::Position};
use tokio::sync::OnceCell;

use crate::{
    error::Context as _,
    item::{self, Item, Keys, PARTITION, SORT},
};

pub(crate) use head::Head;
pub(crate) use pointer::Pointer;
pub(crate) use readers::Reader;

/// The time limit of a connection.
const CONNECT: Duration = Duration::from_secs(1);
/// The time limit of one attempt of an operation. The lease of a relay is longer.
const ATTEMPT: Duration = Duration::from_millis(1500);
/// The time limit of an operation with its repetitions.
pub(crate) const OPERATION: Duration = Duration::from_secs(3);
/// The most attempts of an operation.
const ATTEMPTS: u32 = 3;

/// The positions of one query: after the first up to the second.
pub(crate) type Range = (Position, Position);

/// A table of DynamoDB. The client is made with the first operation.
pub struct Table {
    name: String,
    region: String,
    endpoint: Option<String>,
    client: OnceCell<Client>,
    pub(crate) throttled: AtomicU64,
}

impl Table {
    /// Names a table, without I/O.
    pub fn new(settings: &FeedCopySettings) -> Self {
        Self {
            name: settings.table.clone(),
            region: settings.region.clone(),
            endpoint: settings.endpoint.clone(),
            client: OnceCell::new(),
            throttled: AtomicU64::new(0),
        }
    }

    /// Returns the number of writes so far that were refused because there were too many at once.
    pub(crate) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the client. Credentials are read with the first request (AWS SDK for Rust, "Credential provider
    /// chain").
    pub(crate) async fn client(&self) -> &Client {
        self.client
            .get_or_init(|| async {
                let timeouts = TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_attempt_timeout(ATTEMPT)
                    .operation_timeout(OPERATION);
                let mut config = aws_config::defaults(BehaviorVersion::latest())
                    .region(Region::new(self.region.clone()))
                    .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
                    .timeout_config(timeouts.build());
                if let Some(endpoint) = &self.endpoint {
                    config = config.endpoint_url(endpoint);
                }
                Client::new(&config.load().await)
            })
            .await
    }

    /// Returns at most `limit` events of a partition, oldest first.
    pub(crate) async fn events(&self, partition: String, range: Range, limit: usize) -> Result<Vec<Event>> {
        let items = self.items(partition, range, limit).await?;
        items.iter().map(item::event).collect()
    }

    /// Returns at most `limit` items of a partition in the order of their positions. DynamoDB answers in pages of
    /// one megabyte.
    pub(crate) async fn items(
        &self,
        partition: String,
        (after, until): Range,
        limit: usize,
    ) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        let mut after = after.0;
        while after < until.0 && items.len() < limit {
            let wanted = i32::try_from(limit - items.len()).unwrap_or(i32::MAX);
            let page = self
                .client()
                .await
                .query()
                .table_name(&self.name)
                .consistent_read(true)
                .key_condition_expression("#pk = :pk and #sk between :from and :until")
                .expression_attribute_names("#pk", PARTITION)
                .expression_attribute_names("#sk", SORT)
                .expression_attribute_values(":pk", item::text(partition.clone()))
                .expression_attribute_values(":from", item::number(after + 1))
                .expression_attribute_values(":until", item::number(until.0))
                .limit(wanted)
                .send()
                .await
                .context("reading the copy of the event log")?;
            let is_last = page.last_evaluated_key.is_none();
            items.extend(page.items.unwrap_or_default());
            match items.last() {
                Some(last) if !is_last => after = item::position(last)?.0,
                _ => break,
            }
        }
        Ok(items)
    }

    /// Deletes an item, if it exists.
    pub(crate) async fn delete(&self, partition: String, position: Position) -> Result<()> {
        let request = self.client().await.delete_item().table_name(&self.name);
        let request = request.set_key(Some(item::key(partition, position.0)));
        request.send().await.context("deleting an item of the copy").map(drop)
    }
}

impl Keys {
    /// Returns the partitions of the blocks with these positions, in order.
    pub(crate) fn blocks(&self, (after, until): Range) -> impl Iterator<Item = String> + '_ {
        let first = (after.0 + 1).div_euclid(item::BLOCK);
        let last = until.0.div_euclid(item::BLOCK);
        (first..=last).map(|number| self.block(number * item::BLOCK))
    }
}
