//! What every homeserver has to do for us.

pub(crate) mod accounts;
pub(crate) mod failures;
pub(crate) mod files;
pub(crate) mod messages;
pub(crate) mod passwords;
pub(crate) mod receipts;
pub(crate) mod ringing;
pub(crate) mod rooms;
pub(crate) mod state;
pub(crate) mod timeline;
pub(crate) mod typing;
