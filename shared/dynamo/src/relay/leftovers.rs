//! Removes items that a relay has written beyond the head and the database does not have: a server that
//! replaced a broken one can lack its last commits. Their positions then become those of other events, with
//! other audiences.

use std::collections::HashMap;

use messenger_core::id::Position;

use super::{DynamoRelay, EVENTS, Ended, lease::Held};

impl DynamoRelay {
    /// Deletes the items beyond the head that are of no event of the log: that of the audience, then that of the
    /// block, so that a relay that ends here finds the rest.
    pub(super) async fn remove_leftovers(&self, lease: &mut Held, head: Position) -> Result<(), Ended> {
        // No relay writes more than one page beyond the head.
        let range = (head, Position(head.0.saturating_add(EVENTS)));
        let events = self.ports.source.recorded(head, EVENTS).await?;
        let audiences: HashMap<_, _> =
            events.iter().map(|recorded| (recorded.event.position, &recorded.event.audience)).collect();
        let keys = lease.keys().clone();
        for block in keys.blocks(range) {
            for event in self.table.events(block.clone(), range, usize::MAX).await? {
                if audiences.get(&event.position) == Some(&&event.audience) {
                    continue;
                }
                tracing::debug!(
                    position = event.position.0,
                    "removing an event that the database does not have"
                );
                lease.keep().await?;
                self.table.delete(keys.audience(&event.audience), event.position).await?;
                lease.keep().await?;
                self.table.delete(block.clone(), event.position).await?;
            }
        }
        Ok(())
    }
}
