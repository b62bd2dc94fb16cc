//! A lock by key.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// The number of keys that can be locked at the same time.
const STRIPES: usize = 64;

/// A lock by key: holders of one key run one after another, and those of different keys mostly side by side.
pub(crate) struct KeyedLock {
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
}

impl KeyedLock {
    pub(crate) async fn lock(&self, key: &str) -> MutexGuard<'_, ()> {
        let stripe = usize::try_from(self.hasher.hash_one(key) % STRIPES as u64).unwrap_or_default();
        self.stripes[stripe].lock().await
    }
}

impl Default for KeyedLock {
    fn default() -> Self {
        Self { stripes: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}
