//! The outcome of a write that only the holder of a lease makes.

use messenger_core::lease::Lease;

/// Returns the lease after an update of the row of its holder.
pub(crate) fn held(updated: u64) -> Lease<()> {
    if updated == 0 { Lease::Lost } else { Lease::Held(()) }
}
