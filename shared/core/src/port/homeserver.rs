//! The port of the homeserver as a whole.

use async_trait::async_trait;

use crate::domain::error::Result;

/// The Matrix homeserver.
///
/// The service acts there as its bot, which is in every room, and on behalf of its users.
#[async_trait]
pub trait Homeserver: Send + Sync {
    /// Checks that the homeserver responds.
    async fn ping(&self) -> Result<()>;
}
