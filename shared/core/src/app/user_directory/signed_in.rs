//! Signed-in users as one process remembers them. An entry is dropped as soon as the user changes, in whatever process
//! that happens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    domain::{
        id::{HubUserId, MatrixUserId},
        matrix_ids::MatrixIds,
        user::{Account, User},
    },
    live::cache::Cache,
    port::{UserWatcher, Users},
};

/// The longest time for which a user is remembered: the limit for a change whose signal got lost.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// The memory. Clones are the same memory.
#[derive(Clone)]
pub(crate) struct SignedIn(Arc<Inner>);

struct Inner {
    ids: Arc<MatrixIds>,
    users: Cache<HubUserId, User>,
    /// Display names, by Matrix id.
    names: Cache<MatrixUserId, String>,
    /// Grows with each change, so that a user read before a change is not remembered after it.
    generation: AtomicU64,
    /// Whether changes are heard of at this moment. Without that nothing is remembered.
    is_listening: AtomicBool,
    is_watching: AtomicBool,
}

impl SignedIn {
    pub(crate) fn new(ids: Arc<MatrixIds>) -> Self {
        Self(Arc::new(Inner {
            ids,
            users: Cache::with_ttl(REMEMBERED_FOR),
            names: Cache::with_ttl(REMEMBERED_FOR),
            generation: AtomicU64::new(0),
            is_listening: AtomicBool::new(false),
            is_watching: AtomicBool::new(false),
        }))
    }

    /// Begins to listen for changes, once. Until the store listens, nothing is remembered.
    pub(crate) fn watch(&self, users: &dyn Users) {
        if !self.0.is_watching.load(Ordering::Relaxed) && !self.0.is_watching.swap(true, Ordering::SeqCst) {
            users.watch(self.0.clone());
        }
    }

    pub(crate) fn get(&self, user: &HubUserId) -> Option<User> {
        if self.is_listening() { self.0.users.get(user) } else { None }
    }

    /// Returns the display name of an account of ours, if it is remembered.
    pub(crate) fn name(&self, id: &MatrixUserId) -> Option<String> {
        if self.is_listening() { self.0.names.get(id) } else { None }
    }

    /// The state of the memory. To be read before the user is, and passed to [`remember`](Self::remember).
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::SeqCst)
    }

    /// Remembers a user who was read after `seen`, unless anybody changed since.
    pub(crate) fn remember(&self, user: &User, seen: u64) {
        if !self.is_listening() || self.generation() != seen {
            return;
        }
        let id = self.0.ids.of(user);
        self.0.users.put(user.id().clone(), user.clone());
        // An account that somebody else made has the name of somebody else.
        if user.account == Account::Ours {
            self.0.names.put(id.clone(), user.identity.display_name.clone());
        }
        // A change in between found nothing to drop.
        if self.generation() != seen {
            self.0.drop_user(user.id(), &id);
        }
    }

    /// Drops what is remembered of a user: the store says something else.
    pub(crate) fn forget(&self, user: &User) {
        self.0.changed(user.id(), &user.localpart);
    }

    fn is_listening(&self) -> bool {
        self.0.is_listening.load(Ordering::SeqCst)
    }
}

impl Inner {
    fn drop_user(&self, user: &HubUserId, id: &MatrixUserId) {
        self.users.drop_entry(user);
        self.names.drop_entry(id);
    }
}

impl UserWatcher for Inner {
    fn changed(&self, user: &HubUserId, localpart: &str) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.drop_user(user, &self.ids.of_localpart(localpart));
    }

    fn listening(&self, is_listening: bool) {
        self.is_listening.store(is_listening, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.users.clear();
        self.names.clear();
    }
}
