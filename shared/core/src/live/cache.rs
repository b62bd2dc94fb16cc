//! Caches values in this process, bounded in number and time.
//!
//! The code of moka is generic over keys and values: 70 kB of machine code for each pair of types, of which the
//! service has twenty. So it is instantiated once, for keys and values behind pointers.

use std::{
    any::Any,
    hash::{Hash, Hasher},
    marker::PhantomData,
    sync::Arc,
    time::Duration,
};

/// The most entries of a cache.
const CAPACITY: u64 = 20_000;

/// A bounded cache, with or without a time to live. Clones share their entries.
#[derive(Clone)]
pub(crate) struct Cache<K, V> {
    entries: moka::sync::Cache<Box<dyn Key>, Arc<dyn Any + Send + Sync>>,
    types: PhantomData<fn(K) -> V>,
}

/// A key of any type. All keys of a cache have the same type.
trait Key: Any + Send + Sync {
    fn equals(&self, other: &dyn Key) -> bool;
    fn hash_into(&self, state: &mut dyn Hasher);
}

impl<K: Hash + Eq + Send + Sync + 'static> Key for K {
    fn equals(&self, other: &dyn Key) -> bool {
        (other as &dyn Any).downcast_ref::<K>().is_some_and(|other| self == other)
    }

    fn hash_into(&self, mut state: &mut dyn Hasher) {
        self.hash(&mut state);
    }
}

impl PartialEq for dyn Key {
    fn eq(&self, other: &Self) -> bool {
        self.equals(other)
    }
}

impl Eq for dyn Key {}

impl Hash for dyn Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_into(state);
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn with_ttl(time: Duration) -> Self {
        Self::with_ttl_and_capacity(time, CAPACITY)
    }

    pub(crate) fn with_ttl_and_capacity(time: Duration, capacity: u64) -> Self {
        let entries = moka::sync::Cache::builder().max_capacity(capacity).time_to_live(time).build();
        Self { entries, types: PhantomData }
    }

    pub(crate) fn without_ttl() -> Self {
        Self { entries: moka::sync::Cache::new(CAPACITY), types: PhantomData }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.entries.get(key as &dyn Key)?.downcast_ref().cloned()
    }

    pub(crate) fn put(&self, key: K, value: V) {
        self.entries.insert(Box::new(key), Arc::new(value));
    }

    /// Puts a value, and returns `true`, unless the key has one.
    pub(crate) fn put_if_absent(&self, key: K, value: V) -> bool {
        self.entries.entry(Box::new(key)).or_insert(Arc::new(value)).is_fresh()
    }

    pub(crate) fn remove(&self, key: &K) {
        self.entries.invalidate(key as &dyn Key);
    }

    /// Removes all entries whose value matches. Visits every entry, so it is for rare calls.
    pub(crate) fn remove_if(&self, matches: impl Fn(&V) -> bool) {
        for (key, value) in &self.entries {
            if value.downcast_ref().is_some_and(&matches) {
                self.entries.invalidate(key.as_ref());
            }
        }
    }

    pub(crate) fn clear(&self) {
        self.entries.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_equal_keys_and_removed_by_key_and_by_value() {
        let cache = Cache::<(u8, String), String>::without_ttl();
        let key = |number| (number, "room".to_owned());
        for number in 0..4 {
            cache.put(key(number), format!("value {number}"));
        }
        assert_eq!(cache.get(&key(1)).as_deref(), Some("value 1"));
        assert_eq!(cache.get(&(1, "other".to_owned())), None);
        cache.remove(&key(1));
        cache.remove_if(|value| value == "value 2");
        assert_eq!([0, 1, 2, 3].map(|number| cache.get(&key(number)).is_some()), [true, false, false, true]);
        cache.clear();
        assert_eq!(cache.get(&key(0)), None);
    }

    #[test]
    fn only_the_first_value_of_a_key_is_put_if_it_is_absent() {
        let cache = Cache::<&str, u8>::without_ttl();
        assert!(cache.put_if_absent("a", 1));
        assert!(!cache.clone().put_if_absent("a", 2));
        assert_eq!(cache.get(&"a"), Some(1));
    }
}
