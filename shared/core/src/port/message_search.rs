//! The port of the search in messages.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{HubUserId, TenantId},
    search::{FoundMessages, MessageQuery},
};

/// The texts of ingested messages, as their readers find them.
///
/// [`Messages::ingest`](crate::port::Messages::ingest) stores, replaces and removes them together with the events.
#[async_trait]
pub trait MessageSearch: Send + Sync {
    /// Returns a page of the messages that match, the last to arrive first; `None` if the query names a room
    /// of which the user is no member, and which no room of the user has replaced.
    ///
    /// A user finds the messages of the rooms of which they are a member now, and of the rooms that those
    /// replaced. Of a room with restricted history they find those that were sent and arrived after their last
    /// join. A call looks at a limited number of messages: a page may be short or empty although another one
    /// follows.
    async fn search(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        query: &MessageQuery,
    ) -> Result<Option<FoundMessages>>;

    /// Deletes texts that arrived before the retention, and those of closed rooms: a limited number of each.
    /// Call it again and again.
    async fn tidy(&self, retention: Duration) -> Result<()>;
}
