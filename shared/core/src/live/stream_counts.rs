//! Counts the open event streams of this process by tenant. A stream is counted when it is opened and when it
//! ends; its events cost nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::{domain::id::TenantId, live::lock::lock};

/// The number of open event streams of each tenant that ever had one here.
#[derive(Default)]
pub(crate) struct StreamCounts(Mutex<BTreeMap<TenantId, i64>>);

/// An open event stream. Dropping it ends the count.
pub(crate) struct OpenStream {
    counts: Arc<StreamCounts>,
    tenant: TenantId,
}

impl StreamCounts {
    /// Counts a stream of a tenant until the result is dropped.
    pub(crate) fn open(self: &Arc<Self>, tenant: TenantId) -> OpenStream {
        *lock(&self.0).entry(tenant).or_default() += 1;
        OpenStream { counts: self.clone(), tenant }
    }

    /// Returns the number of open streams of each tenant.
    pub(crate) fn all(&self) -> Vec<(TenantId, i64)> {
        lock(&self.0).iter().map(|(tenant, count)| (*tenant, *count)).collect()
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        if let Some(count) = lock(&self.counts.0).get_mut(&self.tenant) {
            *count -= 1;
        }
    }
}
