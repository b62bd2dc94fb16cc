#![doc = include_str!("../README.md")]

mod accept;
mod admin;
mod alarms;
mod closed_rooms;
mod connection;
mod cursors;
mod ephemeral_bus;
mod error;
mod external;
mod feed;
mod feed_copy;
mod inbox;
mod lease;
mod listener;
mod local_appends;
mod maintenance;
mod memberships;
mod message_search;
mod messages;
mod migrate;
mod notifications;
mod outbox;
mod pending_leaves;
mod pool;
mod reconciliation;
mod room_marks;
mod room_views;
mod rooms;
mod store;
mod users;

pub use migrate::{migrate, schema};
pub use pool::PoolFigures;
pub use store::{PgStore, StoreConfig};
