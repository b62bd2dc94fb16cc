//! The contract that each homeserver has to meet.

pub(crate) mod accounts;
pub(crate) mod failures;
pub(crate) mod files;
pub(crate) mod messages;
pub(crate) mod passwords;
pub(crate) mod push_rules;
pub(crate) mod receipts;
pub(crate) mod relations;
pub(crate) mod rooms;
pub(crate) mod state;
pub(crate) mod timeline;
pub(crate) mod typing;
