#![doc = include_str!("../README.md")]

mod accept;
mod cursors;
mod error;
mod external;
mod feed;
mod fresh;
mod lobby;
mod messages;
mod migrate;
mod notifications;
mod outbox;
mod pool;
mod reconciliation;
mod records;
mod rooms;
mod signals;
mod upkeep;
mod users;
mod whispers;

pub use migrate::{migrate, schema};
pub use pool::{CONNECT_WAIT, PgStore, StoreConfig, check_url};
