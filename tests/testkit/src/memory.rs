//! The store in memory: every port on one state behind one mutex, so that each act is whole.

mod cursors;
mod ephemeral_bus;
mod external;
mod feed;
mod maintenance;
mod memberships;
pub(crate) mod messages;
mod notifications;
mod outbox;
mod pending_leaves;
mod reconciliation;
mod records;
mod redactions;
mod room_views;
mod rooms;
mod users;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use jiff::Timestamp;
use messenger_core::{
    Error, Ports, Result,
    error::{Failure, System},
    event::Event,
    id::HubUserId,
    live::ephemeral_channel::EphemeralChannel,
    port::UserWatcher,
};
use tokio::sync::Notify;

use crate::{MemoryHomeserver, TestClock, clock::START, fault::FaultInjector};

/// All ports of the store. Clones share what is stored, as the processes of one installation do.
///
/// Time stands still until [`advance`](Self::advance) moves it.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Inner>,
    fault: FaultInjector,
}

struct Inner {
    state: Mutex<State>,
    grown: Notify,
    stirred: Notify,
    ephemeral_bus: EphemeralChannel,
    watchers: Mutex<Vec<Weak<dyn UserWatcher>>>,
    installation: String,
}

struct State {
    now: Timestamp,
    off: bool,
    dawdle: Duration,
    users: users::Table,
    rooms: rooms::Table,
    members: memberships::Table,
    arrivals: memberships::Arrivals,
    records: records::Table,
    /// Counts what comes: messages, and people into rooms.
    arrived: u64,
    pending_leaves: pending_leaves::Table,
    external: external::Table,
    notifications: notifications::Table,
    queues: outbox::Table,
    log: feed::Log,
    cursors: cursors::Table,
    conversation: messages::Table,
    reconciliation: reconciliation::Row,
    /// Whether the worker should be told.
    work: bool,
    /// Users who have changed, and their localparts: to be signalled.
    changed: Vec<(HubUserId, String)>,
    /// Whether signals of changed users get lost.
    is_mute: bool,
}

impl Default for Memory {
    fn default() -> Self {
        let state = State {
            now: START,
            off: false,
            dawdle: Duration::ZERO,
            users: users::Table::default(),
            rooms: rooms::Table::default(),
            members: memberships::Table::default(),
            arrivals: memberships::Arrivals::default(),
            records: records::Table::default(),
            arrived: 0,
            pending_leaves: pending_leaves::Table::default(),
            external: external::Table::default(),
            notifications: notifications::Table::default(),
            queues: outbox::Table::default(),
            log: feed::Log::default(),
            cursors: cursors::Table::default(),
            conversation: messages::Table::default(),
            reconciliation: reconciliation::Row::default(),
            work: false,
            changed: Vec::new(),
            is_mute: false,
        };
        let shared = Inner {
            state: Mutex::new(state),
            grown: Notify::new(),
            stirred: Notify::new(),
            ephemeral_bus: EphemeralChannel::default(),
            watchers: Mutex::default(),
            installation: format!("memory{:016x}", rand::random::<u64>()),
        };
        Self { shared: Arc::new(shared), fault: FaultInjector::default() }
    }
}

impl Memory {
    /// Moves the store's clock on: leases end, and what rests becomes due.
    pub fn advance(&self, by: Duration) {
        self.state().now += by;
    }

    /// The store's time.
    pub fn now(&self) -> Timestamp {
        self.state().now
    }

    /// From now on every call fails, as if the database were away.
    pub fn switch_off(&self) {
        self.state().off = true;
    }

    /// The database is back.
    pub fn switch_on(&self) {
        self.state().off = false;
    }

    /// From now on each call takes a random time of up to this before it acts, and another after it, so that calls
    /// overtake each other in every way. Sleeps in tokio's time, which tests pause.
    pub fn dawdle(&self, up_to: Duration) {
        self.state().dawdle = up_to;
    }

    /// From now on the signals of changed users get lost.
    pub fn lose_signals(&self) {
        self.state().is_mute = true;
    }

    /// The whole event log, as far as it has not been dropped.
    pub fn events(&self) -> Vec<Event> {
        self.state().log.events().cloned().collect()
    }

    /// All ports: this store, with a homeserver and a clock.
    pub fn ports(&self, homeserver: &MemoryHomeserver, clock: &TestClock) -> Ports {
        let store = Arc::new(self.clone());
        Ports {
            users: store.clone(),
            rooms: store.clone(),
            room_records: store.clone(),
            memberships: store.clone(),
            room_views: store.clone(),
            pending_leaves: store.clone(),
            external_access: store.clone(),
            notifications: store.clone(),
            outbox: store.clone(),
            maintenance: store.clone(),
            feed: store.clone(),
            ephemeral_bus: store.clone(),
            cursors: store.clone(),
            messages: store.clone(),
            reconciliation: store,
            homeserver: Arc::new(homeserver.clone()),
            room_state: Arc::new(homeserver.clone()),
            timeline: Arc::new(homeserver.clone()),
            files: Arc::new(homeserver.clone()),
            membership_calls: Arc::new(homeserver.clone()),
            external_accounts: Arc::new(homeserver.clone()),
            vault: Arc::new(crate::OpenVault),
            clock: Arc::new(clock.clone()),
        }
    }

    /// The same store as another process sees it.
    pub(crate) fn of_process(&self, fault: &FaultInjector) -> Self {
        Self { fault: fault.clone(), ..self.clone() }
    }

    /// Does one act, whole or not at all. Pauses before and after, so that others come in between, and so that a test
    /// can end the process there.
    async fn act<T>(&self, context: &'static str, act: impl FnOnce(&mut State) -> T + Send) -> Result<T> {
        self.pause().await;
        let result = self.act_now(context, act);
        self.pause().await;
        result
    }

    async fn pause(&self) {
        self.fault.step().await;
        let most = self.state().dawdle;
        if !most.is_zero() {
            tokio::time::sleep(most.mul_f64(rand::random())).await;
        }
    }

    fn act_now<T>(&self, context: &'static str, act: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut state = self.state();
        if state.off {
            return Err(Error::fault(System::Database, Failure::Unreachable, context, "switched off"));
        }
        let head = state.log.head();
        let result = act(&mut state);
        let grown = state.log.head() > head;
        let work = std::mem::take(&mut state.work);
        let mut changed = std::mem::take(&mut state.changed);
        if state.is_mute {
            changed.clear();
        }
        drop(state);
        self.signal(&changed);
        if grown {
            tell(&self.shared.grown);
        }
        if work {
            tell(&self.shared.stirred);
        }
        Ok(result)
    }

    fn signal(&self, changed: &[(HubUserId, String)]) {
        let watchers = self.watchers().clone();
        for watcher in watchers.iter().filter_map(Weak::upgrade) {
            for (user, localpart) in changed {
                watcher.changed(user, localpart);
            }
        }
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Weak<dyn UserWatcher>>> {
        self.shared.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes those who wait, and leaves a word for who comes next.
fn tell(notify: &Notify) {
    notify.notify_waiters();
    notify.notify_one();
}

/// Waits for a word; at the latest until patience ends.
async fn hear(notify: &Notify, patience: Duration) {
    // Running out of patience is a regular end.
    let _ = tokio::time::timeout(patience, notify.notified()).await;
}
