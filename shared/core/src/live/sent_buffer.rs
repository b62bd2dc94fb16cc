//! Buffers sent notifications whose status may not be stored yet.

use std::{mem, sync::Mutex, time::Duration};

use crate::{
    domain::id::NotificationId,
    live::{cache::Cache, lock::lock},
    port::Delivered,
};

/// The time for which a sent notification is remembered. Longer than it takes to store its status.
const SENT_FOR: Duration = Duration::from_secs(10);

/// The notifications that this process has sent recently, and the next batch of those that are not stored.
pub(crate) struct SentBuffer {
    recent: Cache<NotificationId, Delivered>,
    unstored: Mutex<Vec<Delivered>>,
}

impl SentBuffer {
    pub(crate) fn new() -> Self {
        Self { recent: Cache::with_ttl(SENT_FOR), unstored: Mutex::default() }
    }

    /// Adds a notification. Returns `true` if it is the first of a batch.
    pub(crate) fn put(&self, delivered: Delivered) -> bool {
        self.recent.put(delivered.id, delivered.clone());
        let mut unstored = lock(&self.unstored);
        unstored.push(delivered);
        unstored.len() == 1
    }

    /// Removes and returns the current batch.
    pub(crate) fn take(&self) -> Vec<Delivered> {
        mem::take(&mut *lock(&self.unstored))
    }

    /// Drops the result of a notification.
    pub(crate) fn forget(&self, id: NotificationId) {
        self.recent.remove(&id);
    }

    /// Returns the result of a notification that was sent recently.
    pub(crate) fn get(&self, id: NotificationId) -> Option<Delivered> {
        self.recent.get(&id)
    }
}
