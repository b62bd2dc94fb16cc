#![doc = include_str!("../README.md")]

mod batch;
mod error;
mod feed;
mod item;
mod relay;
mod table;

use std::sync::Arc;

use messenger_core::{
    FeedCopySettings,
    port::{CopiedFeed, FeedCopyPorts},
};

pub use feed::DynamoFeed;
pub use relay::DynamoRelay;
pub use table::Table;

/// Returns the feed that reads the copy of the event log on DynamoDB, and the relay that writes it. Connects to
/// nothing yet.
pub fn copied_feed(settings: &FeedCopySettings, ports: FeedCopyPorts) -> CopiedFeed {
    let table = Arc::new(Table::new(settings));
    CopiedFeed {
        feed: Arc::new(DynamoFeed::new(table.clone(), ports.clone())),
        relay: Arc::new(DynamoRelay::new(table, ports, settings.retention)),
    }
}
