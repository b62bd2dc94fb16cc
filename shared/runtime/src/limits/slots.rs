//! Slots: limits of concurrent uses by key.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};

use futures::Stream;
use messenger_core::lock;

/// The number of locks, over which keys are distributed.
const SHARDS: usize = 64;

/// Counters of concurrent uses by key. Only keys with a use are kept.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Inner>);

struct Inner {
    /// The number of uses by the hash of the key.
    shards: [Mutex<HashMap<u64, u32>>; SHARDS],
    hasher: RandomState,
}

/// A slot in use. It is free again when this is dropped.
pub struct Slot(Option<(Slots, u64)>);

/// A stream that holds a slot for as long as it lasts.
pub struct Holding<S> {
    stream: S,
    _slot: Slot,
}

impl Slots {
    pub(crate) fn new() -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self(Arc::new(Inner { shards, hasher: RandomState::new() }))
    }

    /// Takes a slot. Returns `None` if `most` are held under this key; a `most` of zero is no limit.
    pub(crate) fn take(&self, key: impl Hash, most: u32) -> Option<Slot> {
        if most == 0 {
            return Some(Slot(None));
        }
        let key = self.0.hasher.hash_one(key);
        let mut held = self.shard(key);
        let number = held.entry(key).or_default();
        if *number >= most {
            return None;
        }
        *number += 1;
        drop(held);
        Some(Slot(Some((self.clone(), key))))
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, HashMap<u64, u32>> {
        let index = usize::try_from(key % SHARDS as u64).unwrap_or_default();
        // The index is always below the length.
        let shard = self.0.shards.get(index).unwrap_or(&self.0.shards[0]);
        lock(shard)
    }
}

impl Slot {
    /// Holds the slot until the stream is dropped.
    pub fn around<S>(self, stream: S) -> Holding<S> {
        Holding { stream, _slot: self }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some((slots, key)) = self.0.take() else { return };
        let mut held = slots.shard(key);
        if let Some(number) = held.get_mut(&key) {
            *number -= 1;
            if *number == 0 {
                held.remove(&key);
            }
        }
    }
}

impl<S: Stream + Unpin> Stream for Holding<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.stream).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_it_is_dropped_and_no_unused_key_is_kept() {
        let slots = Slots::new();
        let mut held: Vec<_> = (0..3).filter_map(|_| slots.take("a", 3)).collect();
        assert_eq!(held.len(), 3);
        assert!(slots.take("a", 3).is_none());
        assert!(slots.take("b", 3).is_some(), "another key has slots of its own");
        held.pop();
        held.extend(slots.take("a", 3));
        assert!(slots.take("a", 3).is_none());
        drop(held);
        assert!(slots.0.shards.iter().all(|shard| shard.lock().expect("no poison").is_empty()));
    }

    #[test]
    fn zero_is_no_limit() {
        let slots = Slots::new();
        let held: Vec<_> = (0..10_000).map(|_| slots.take("a", 0)).collect();
        assert!(held.iter().all(Option::is_some));
    }
}
