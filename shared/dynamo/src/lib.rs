#![doc = include_str!("../README.md")]

mod batch;
mod error;
mod feed;
mod item;
mod present;
mod readers;
mod relay;
mod table;

use std::sync::Arc;

use messenger_core::{
    FeedCopySettings,
    port::{Clock, CopiedFeed, CopiedReaders, FeedCopyPorts},
};
use present::{Beside, Present};
use readers::DynamoReaders;

pub use feed::DynamoFeed;
pub use relay::DynamoRelay;
pub use table::Table;

/// Returns the feed that reads the copy of the event log on DynamoDB, and the relay that writes it. Connects to
/// nothing yet.
pub fn copied_feed(settings: &FeedCopySettings, ports: FeedCopyPorts) -> CopiedFeed {
    let table = Arc::new(Table::new(settings));
    CopiedFeed {
        feed: Arc::new(DynamoFeed::new(table.clone(), ports.clone())),
        relay: Arc::new(DynamoRelay::new(table, ports, settings)),
    }
}

/// Returns the ports of a process without a database, on the copy alone. Connects to nothing yet.
pub fn copied_readers(settings: &FeedCopySettings, clock: Arc<dyn Clock>) -> CopiedReaders {
    let table = Arc::new(Table::new(settings));
    let present = Arc::new(Present::new(table.clone(), Beside::nothing(&settings.installation, clock)));
    let readers = Arc::new(DynamoReaders::new(table.clone(), present.clone()));
    CopiedReaders {
        feed: Arc::new(DynamoFeed::alone(table, present)),
        users: readers.clone(),
        memberships: readers.clone(),
        cursors: readers.clone(),
        ephemeral_bus: readers,
    }
}
