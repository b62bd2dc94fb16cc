#![doc = include_str!("../README.md")]

mod accept;
mod cursors;
mod ephemeral_bus;
mod error;
mod external;
mod feed;
mod listener;
mod local_appends;
mod maintenance;
mod messages;
mod migrate;
mod notifications;
mod outbox;
mod pool;
mod reconciliation;
mod records;
mod room_views;
mod rooms;
mod users;

pub use migrate::{migrate, schema};
pub use pool::{CONNECT_WAIT, PgStore, StoreConfig, check_url};
