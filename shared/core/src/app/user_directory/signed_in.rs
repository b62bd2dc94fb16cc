//! Caches signed-in users. An entry is dropped as soon as the user changes in any process.

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

/// The time to live of an entry: the longest delay of a change whose signal was lost.
const TTL: Duration = Duration::from_secs(5);

/// The cache. Clones share it.
#[derive(Clone)]
pub(crate) struct SignedIn(Arc<Inner>);

struct Inner {
    ids: Arc<MatrixIds>,
    users: Cache<HubUserId, User>,
    /// Display names, by Matrix id.
    names: Cache<MatrixUserId, String>,
    /// The number of changes. A user that was read before a change is not cached after it.
    generation: AtomicU64,
    /// `true` while the store reports changes. Otherwise nothing is cached.
    is_listening: AtomicBool,
    /// `true` after [`SignedIn::watch`] was called.
    is_watching: AtomicBool,
}

impl SignedIn {
    pub(crate) fn new(ids: Arc<MatrixIds>) -> Self {
        Self(Arc::new(Inner {
            ids,
            users: Cache::with_ttl(TTL),
            names: Cache::with_ttl(TTL),
            generation: AtomicU64::new(0),
            is_listening: AtomicBool::new(false),
            is_watching: AtomicBool::new(false),
        }))
    }

    /// Begins to watch for changes, once. Until the store reports them, nothing is cached.
    pub(crate) fn watch(&self, users: &dyn Users) {
        if !self.0.is_watching.load(Ordering::Relaxed) && !self.0.is_watching.swap(true, Ordering::SeqCst) {
            users.watch(self.0.clone());
        }
    }

    pub(crate) fn get(&self, user: &HubUserId) -> Option<User> {
        if self.is_listening() { self.0.users.get(user) } else { None }
    }

    /// Returns the cached display name of an account of this service.
    pub(crate) fn name(&self, id: &MatrixUserId) -> Option<String> {
        if self.is_listening() { self.0.names.get(id) } else { None }
    }

    /// Returns the number of changes. Read it before the user, and pass it to [`remember`](Self::remember).
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::SeqCst)
    }

    /// Caches a user who was read after `seen`, unless any user has changed since.
    pub(crate) fn remember(&self, user: &User, seen: u64) {
        if !self.is_listening() || self.generation() != seen {
            return;
        }
        let id = self.0.ids.of(user);
        self.0.users.put(user.id().clone(), user.clone());
        // A foreign account has a display name of its own.
        if user.account == Account::Ours {
            self.0.names.put(id.clone(), user.display_name.clone());
        }
        // A change between the check and `put` found no entry to drop.
        if self.generation() != seen {
            self.0.drop_user(user.id(), &id);
        }
    }

    /// Drops a user because the stored one differs.
    pub(crate) fn forget(&self, user: &User) {
        self.0.changed(user.id(), &user.localpart);
    }

    fn is_listening(&self) -> bool {
        self.0.is_listening.load(Ordering::SeqCst)
    }
}

impl Inner {
    fn drop_user(&self, user: &HubUserId, id: &MatrixUserId) {
        self.users.remove(user);
        self.names.remove(id);
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
