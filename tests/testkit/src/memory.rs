//! The store in memory: every port works on one state behind one mutex, so that each call is atomic.

mod alarm_messages;
mod alarms;
mod closed_rooms;
mod cursors;
mod ephemeral_bus;
mod external;
mod feed;
mod inbox;
mod maintenance;
mod memberships;
mod message_search;
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
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use jiff::Timestamp;
use messenger_core::{
    Error, Ports, Result,
    alarm::{AlarmKey, Input},
    error::{Failure, System},
    event::Event,
    id::{HubUserId, RoomId, TenantId},
    live::ephemeral_channel::EphemeralChannel,
    lock,
    port::UserWatcher,
};
use tokio::sync::Notify;

use crate::{MemoryHomeserver, TestClock, clock::START, fault::FaultInjector};

/// All ports of the store. Clones share the state, as the processes of one installation share a database.
///
/// Its time stands still until [`advance`](Self::advance) moves it.
#[derive(Clone)]
pub struct Memory {
    shared: Arc<Inner>,
    fault: FaultInjector,
}

struct Inner {
    state: Mutex<State>,
    appended: Notify,
    work_added: Notify,
    ephemeral_bus: EphemeralChannel,
    watchers: Mutex<Vec<Weak<dyn UserWatcher>>>,
    installation: String,
}

struct State {
    now: Timestamp,
    off: bool,
    jitter: Duration,
    users: users::Table,
    rooms: rooms::Table,
    muted: BTreeSet<(TenantId, HubUserId, RoomId)>,
    members: memberships::Table,
    arrivals: memberships::Arrivals,
    records: records::Table,
    /// The number of arrivals so far: messages, and users who joined rooms.
    arrived: u64,
    pending_leaves: pending_leaves::Table,
    external: external::Table,
    notifications: notifications::Table,
    alarms: alarms::Table,
    alarm_messages: alarm_messages::Table,
    inboxes: inbox::Table,
    queues: outbox::Table,
    log: feed::Log,
    cursors: cursors::Table,
    conversation: messages::Table,
    texts: message_search::Table,
    reconciliation: reconciliation::Row,
    /// Set if the worker has to be woken.
    has_work: bool,
    /// Users who changed, with their localparts; their watchers are still to be notified.
    changed: Vec<(HubUserId, String)>,
    /// Set if watchers are no longer notified.
    drops_notifications: bool,
}

impl Default for Memory {
    fn default() -> Self {
        let state = State {
            now: START,
            off: false,
            jitter: Duration::ZERO,
            users: users::Table::default(),
            rooms: rooms::Table::default(),
            muted: BTreeSet::new(),
            members: memberships::Table::default(),
            arrivals: memberships::Arrivals::default(),
            records: records::Table::default(),
            arrived: 0,
            pending_leaves: pending_leaves::Table::default(),
            external: external::Table::default(),
            notifications: notifications::Table::default(),
            alarms: alarms::Table::default(),
            alarm_messages: alarm_messages::Table::default(),
            inboxes: inbox::Table::default(),
            queues: outbox::Table::default(),
            log: feed::Log::default(),
            cursors: cursors::Table::default(),
            conversation: messages::Table::default(),
            texts: message_search::Table::default(),
            reconciliation: reconciliation::Row::default(),
            has_work: false,
            changed: Vec::new(),
            drops_notifications: false,
        };
        let shared = Inner {
            state: Mutex::new(state),
            appended: Notify::new(),
            work_added: Notify::new(),
            ephemeral_bus: EphemeralChannel::default(),
            watchers: Mutex::default(),
            installation: format!("memory{:016x}", rand::random::<u64>()),
        };
        Self { shared: Arc::new(shared), fault: FaultInjector::default() }
    }
}

impl Memory {
    /// Moves the store's clock forward: leases end, and backoffs expire.
    pub fn advance(&self, by: Duration) {
        self.state().now += by;
    }

    /// Returns the store's time.
    pub fn now(&self) -> Timestamp {
        self.state().now
    }

    /// Makes every call fail from now on, as if the database were unreachable.
    pub fn switch_off(&self) {
        self.state().off = true;
    }

    /// Ends the effect of [`switch_off`](Self::switch_off).
    pub fn switch_on(&self) {
        self.state().off = false;
    }

    /// Delays each call by a random time of up to this before it acts, and again after it, so that calls
    /// overtake each other in every way. Sleeps in tokio's time, which tests pause.
    pub fn jitter(&self, up_to: Duration) {
        self.state().jitter = up_to;
    }

    /// Stops notifying watchers of changed users.
    pub fn stop_notifying_watchers(&self) {
        self.state().drops_notifications = true;
    }

    /// Returns the event log without the events that were dropped.
    pub fn events(&self) -> Vec<Event> {
        self.state().log.events().cloned().collect()
    }

    /// Returns all ports: this store, with a homeserver and a clock.
    pub fn ports(&self, homeserver: &MemoryHomeserver, clock: &TestClock) -> Ports {
        let homeserver = Arc::new(homeserver.clone());
        Ports::new(
            Arc::new(self.clone()),
            homeserver.clone(),
            homeserver,
            Arc::new(crate::TransparentVault),
            Arc::new(clock.clone()),
        )
    }

    /// Stores an input of an alarm. The store assigns its id and time.
    pub(crate) async fn receive_alarm_input(&self, key: &AlarmKey, input: Input) -> Result<()> {
        self.act("storing an input of an alarm", |state| state.receive_alarm_input(key, input)).await
    }

    /// Returns the same store as another process uses it.
    pub(crate) fn of_process(&self, fault: &FaultInjector) -> Self {
        Self { fault: fault.clone(), ..self.clone() }
    }

    /// Runs one call atomically. Pauses before and after it, so that other tasks run in between and a test
    /// can end the process there.
    async fn act<T>(&self, context: &'static str, act: impl FnOnce(&mut State) -> T + Send) -> Result<T> {
        self.pause().await;
        let result = self.act_now(context, act);
        self.pause().await;
        result
    }

    async fn pause(&self) {
        self.fault.step().await;
        let jitter = self.state().jitter;
        if !jitter.is_zero() {
            tokio::time::sleep(jitter.mul_f64(rand::random())).await;
        }
    }

    fn act_now<T>(&self, context: &'static str, act: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut state = self.state();
        if state.off {
            return Err(Error::fault(System::Database, Failure::Unreachable, context, "switched off"));
        }
        let head = state.log.head();
        let result = act(&mut state);
        let has_appended = state.log.head() > head;
        let has_work = std::mem::take(&mut state.has_work);
        let mut changed = std::mem::take(&mut state.changed);
        if state.drops_notifications {
            changed.clear();
        }
        drop(state);
        self.notify_watchers(&changed);
        if has_appended {
            notify(&self.shared.appended);
        }
        if has_work {
            notify(&self.shared.work_added);
        }
        Ok(result)
    }

    fn notify_watchers(&self, changed: &[(HubUserId, String)]) {
        let watchers = self.watchers().clone();
        for watcher in watchers.iter().filter_map(Weak::upgrade) {
            for (user, localpart) in changed {
                watcher.changed(user, localpart);
            }
        }
    }

    fn watchers(&self) -> MutexGuard<'_, Vec<Weak<dyn UserWatcher>>> {
        lock(&self.shared.watchers)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}

/// Wakes the tasks that wait, and the next one that starts to wait.
fn notify(signal: &Notify) {
    signal.notify_waiters();
    signal.notify_one();
}

/// Waits until it is notified or the timeout has passed.
async fn wait_for(notify: &Notify, timeout: Duration) {
    // A timeout is a regular outcome.
    let _ = tokio::time::timeout(timeout, notify.notified()).await;
}
