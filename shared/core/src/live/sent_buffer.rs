//! Notifications that this process has sent and that may not be stored as sent yet.

use std::{
    mem,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{domain::id::NotificationId, live::cache::Cache, port::Delivered};

/// Time for which a sent notification is kept: longer than it takes to store it.
const SENT_FOR: Duration = Duration::from_secs(10);

/// The notifications that this process has sent a moment ago.
pub(crate) struct SentBuffer {
    lately: Cache<NotificationId, Delivered>,
    unstored: Mutex<Vec<Delivered>>,
}

impl SentBuffer {
    pub(crate) fn new() -> Self {
        Self { lately: Cache::with_ttl(SENT_FOR), unstored: Mutex::default() }
    }

    /// Adds a notification. Returns whether it is the only one that is not stored yet.
    pub(crate) fn put(&self, delivered: Delivered) -> bool {
        self.lately.put(delivered.id, delivered.clone());
        let mut unstored = self.unstored.lock().unwrap_or_else(PoisonError::into_inner);
        unstored.push(delivered);
        unstored.len() == 1
    }

    pub(crate) fn take(&self) -> Vec<Delivered> {
        mem::take(&mut *self.unstored.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the delivery of a notification that was sent a moment ago.
    pub(crate) fn get(&self, id: NotificationId) -> Option<Delivered> {
        self.lately.get(&id)
    }
}
