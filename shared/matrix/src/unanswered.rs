//! Creations of rooms without an answer: the homeserver may still process them.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use messenger_core::lock;
use tokio::time::Instant;

/// The time after which a creation without an answer is not processed any more.
const KEPT: Duration = Duration::from_mins(10);

/// The aliases of creations without an answer, with the time at which each was given up.
#[derive(Default)]
pub(crate) struct UnansweredCreations(Mutex<HashMap<String, Instant>>);

impl UnansweredCreations {
    /// Notes a creation without an answer.
    pub(crate) fn note(&self, alias: &str) {
        let mut aliases = lock(&self.0);
        aliases.retain(|_, since| since.elapsed() < KEPT);
        aliases.insert(alias.to_owned(), Instant::now());
    }

    /// Returns whether an earlier creation had no answer, and forgets it.
    pub(crate) fn take(&self, alias: &str) -> bool {
        lock(&self.0).remove(alias).is_some()
    }
}
