//! Caches values in this process, bounded in number and time.

use std::time::Duration;

/// The most entries of a cache.
const CAPACITY: u64 = 20_000;

/// A bounded cache, with or without a time to live. Clones share their entries.
#[derive(Clone)]
pub(crate) struct Cache<K, V>(moka::sync::Cache<K, V>);

impl<K, V> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn with_ttl(time: Duration) -> Self {
        Self::with_ttl_and_capacity(time, CAPACITY)
    }

    pub(crate) fn with_ttl_and_capacity(time: Duration, capacity: u64) -> Self {
        Self(moka::sync::Cache::builder().max_capacity(capacity).time_to_live(time).build())
    }

    pub(crate) fn without_ttl() -> Self {
        Self(moka::sync::Cache::new(CAPACITY))
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.0.get(key)
    }

    pub(crate) fn put(&self, key: K, value: V) {
        self.0.insert(key, value);
    }

    /// Puts a value, and returns `true`, unless the key has one.
    pub(crate) fn put_if_absent(&self, key: K, value: V) -> bool {
        self.0.entry(key).or_insert(value).is_fresh()
    }

    pub(crate) fn remove(&self, key: &K) {
        self.0.invalidate(key);
    }

    /// Removes all entries whose value matches. Visits every entry, so it is for rare calls.
    pub(crate) fn remove_if(&self, matches: impl Fn(&V) -> bool) {
        for (key, _) in self.0.iter().filter(|(_, value)| matches(value)) {
            self.0.invalidate(&*key);
        }
    }

    pub(crate) fn clear(&self) {
        self.0.invalidate_all();
    }
}
