//! Use cases, one engine for each resource. An engine owns its ports and its state.

pub mod accounts;
pub mod admin;
pub mod alarms;
pub mod authorization;
pub mod closures;
pub mod delivery;
pub mod external_clients;
pub mod history;
pub mod inbox;
pub mod media;
pub mod messages;
pub mod notifications;
pub mod onboarding;
pub mod operations;
pub mod reactions;
pub mod room_registry;
pub mod rooms;
pub mod search;
pub mod streams;
pub mod transaction_ids;
pub mod user_directory;
