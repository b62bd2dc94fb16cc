//! The loops of the worker. Each looks for work at intervals; a signal only makes it look earlier.

use std::{convert::Infallible, error::Error as StdError, future::pending, time::Duration};

use messenger_core::{Messenger, Result, lease::Lease};
use messenger_runtime::App;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::{Instrument as _, error_span};

/// The number of room queues that are drained concurrently.
const QUEUES: usize = 16;
/// The number of accounts that are provisioned concurrently.
const ACCOUNTS: usize = 8;
/// The interval at which work is looked for without a signal.
const POLL: Duration = Duration::from_secs(1);
/// The shortest time between two looks for alarms: most signals are about other work.
const STEP_INTERVAL: Duration = Duration::from_millis(100);
/// The interval at which the homeserver is pinged while deliveries back off.
const PROBE: Duration = Duration::from_secs(1);
/// The longest time for which the homeserver may hold a `/sync` without events.
const SYNC_WAIT: Duration = Duration::from_secs(15);
/// The shortest time between two calls of `/sync`. Push mostly brings events earlier, so a call for each
/// message would be a waste.
const SYNC_INTERVAL: Duration = Duration::from_millis(250);
/// Pause between two searches for undiscovered rooms while the homeserver pushes.
const SEARCH: Duration = Duration::from_mins(3);
/// Pause between them while it does not push: rooms without the bot are found in no other way then.
const SEARCH_WITHOUT_PUSH: Duration = Duration::from_secs(3);
/// The interval at which notifications expire.
const EXPIRE: Duration = Duration::from_secs(30);
/// The number of these intervals after which the event log is rotated.
const ROTATE_EVERY: u32 = 20;

/// The activity of all loops.
#[derive(Default)]
pub(crate) struct Activity(watch::Sender<()>);

impl Activity {
    /// Notes that a loop has found or done work.
    fn note(&self) {
        self.0.send_replace(());
    }

    /// Waits until no loop has noted work for this time.
    pub(crate) async fn ceased(&self, idle: Duration) {
        let mut noted = self.0.subscribe();
        while timeout(idle, noted.changed()).await.is_ok() {}
    }
}

/// Runs all loops until the future is dropped. They note found work in `activity`.
pub(crate) async fn run(app: &App, worker: &str, activity: &Activity) {
    let messenger = &app.messenger;
    let (accounts, pending_leaves, alarms) = (Notify::new(), Notify::new(), Notify::new());
    tokio::select! {
        never = deliver(messenger, [&accounts, &pending_leaves, &alarms], activity) => match never {},
        never = provision(messenger, &accounts, activity) => match never {},
        never = withdraw(messenger, &pending_leaves, activity) => match never {},
        never = retry_after_outage(messenger, activity) => match never {},
        never = step_alarms(messenger, &alarms, activity) => match never {},
        never = maintain(messenger) => match never {},
        never = reconcile(messenger, worker, activity) => match never {},
        never = search(messenger, worker, activity) => match never {},
        () = relay(app, worker, activity) => {}
    }
}

/// Copies the event log, if it has a copy.
async fn relay(app: &App, worker: &str, activity: &Activity) {
    match &app.relay {
        Some(relay) => relay.run(worker, &|| activity.note()).await,
        None => pending().await,
    }
}

/// Drains room queues as they become due. Wakes the other loops whenever there may be work for them.
async fn deliver(messenger: &Messenger, others: [&Notify; 3], activity: &Activity) -> Infallible {
    let mut queues = JoinSet::new();
    let mut failures = Failures::new("claiming a room queue failed");
    loop {
        for other in others {
            other.notify_one();
        }
        while queues.len() < QUEUES {
            match failures.log(messenger.delivery().claim_queue().await) {
                Some(Some(queue)) => {
                    activity.note();
                    let messenger = messenger.clone();
                    let span = error_span!(parent: None, "drain", queue = queue.name);
                    let drain = async move { (queue.name.clone(), messenger.delivery().drain(&queue).await) };
                    queues.spawn(drain.instrument(span));
                }
                Some(None) | None => break,
            }
        }
        tokio::select! {
            () = messenger.operations().wait_for_work(POLL), if queues.len() < QUEUES => {}
            Some(drained) = queues.join_next() => {
                activity.note();
                if let Ok((queue, Err(error))) = drained {
                    let error: &dyn StdError = &error;
                    tracing::error!(queue, error, "draining a room queue failed: its lease expires");
                }
            }
        }
    }
}

/// Provisions accounts as they become due, several concurrently, so that a slow one delays no other.
async fn provision(messenger: &Messenger, wake: &Notify, activity: &Activity) -> Infallible {
    let mut accounts = JoinSet::new();
    let mut failures = Failures::new("claiming accounts failed");
    loop {
        if let free @ 1.. = ACCOUNTS.saturating_sub(accounts.len()) {
            for user in failures.log(messenger.provisioning().claim(free).await).unwrap_or_default() {
                activity.note();
                let messenger = messenger.clone();
                let span = error_span!(parent: None, "provision", tenant = %user.tenant(), user = %user.id());
                let provision = async move {
                    let provisioned = messenger.provisioning().provision_claimed(&user).await;
                    (user.id().clone(), provisioned)
                };
                accounts.spawn(provision.instrument(span));
            }
        }
        tokio::select! {
            () = wake.notified(), if accounts.len() < ACCOUNTS => {}
            Some(provisioned) = accounts.join_next() => {
                activity.note();
                if let Ok((user, Err(error))) = provisioned {
                    let error: &dyn StdError = &error;
                    tracing::error!(%user, error, "provisioning an account failed: its lease expires");
                }
            }
        }
    }
}

/// Completes pending leaves, closes rooms on the homeserver, and logs out users whose external access was
/// withdrawn.
async fn withdraw(messenger: &Messenger, wake: &Notify, activity: &Activity) -> Infallible {
    let mut failures = Failures::new("claiming pending leaves, closed rooms or revocations failed");
    loop {
        wake.notified().await;
        while failures.log(messenger.rooms().leave_due().await).is_some_and(|claimed| claimed > 0) {
            activity.note();
        }
        while failures.log(messenger.closures().close_due().await).is_some_and(|claimed| claimed > 0) {
            activity.note();
        }
        while failures.log(messenger.external_clients().revoke_due().await).is_some_and(|claimed| claimed > 0)
        {
            activity.note();
        }
    }
}

/// Pings the homeserver while deliveries back off, and retries them at once when it answers.
async fn retry_after_outage(messenger: &Messenger, activity: &Activity) -> Infallible {
    let mut failures = Failures::new("reading or retrying deferred deliveries failed");
    // Unknown at the start: deliveries can back off since an outage before it.
    let mut answered = None;
    loop {
        sleep(PROBE).await;
        let operations = messenger.operations();
        if failures.log(operations.is_backing_off().await) != Some(true) {
            continue;
        }
        let answers = operations.check_homeserver().await.is_ok();
        if answers && answered != Some(true) {
            tracing::info!("homeserver answers: retrying deferred deliveries");
            failures.log(operations.retry_now().await);
            activity.note();
        }
        answered = Some(answers);
    }
}

/// Applies the inputs of alarms that their calls did not apply, and the deadlines that have passed.
///
/// Deadlines do not wait for a signal, which does not come while all room queues wait for the homeserver.
async fn step_alarms(messenger: &Messenger, wake: &Notify, activity: &Activity) -> Infallible {
    let mut failures = Failures::new("stepping due alarms failed; retrying");
    loop {
        if let Some(1..) = failures.log(messenger.alarms().apply_due().await) {
            activity.note();
            continue;
        }
        sleep(STEP_INTERVAL).await;
        tokio::select! {
            () = wake.notified() => {}
            () = sleep(POLL) => {}
        }
    }
}

/// Expires notifications, tidies the search, and rotates the event log.
async fn maintain(messenger: &Messenger) -> Infallible {
    let mut failures = Failures::new("maintenance failed; retrying");
    let (retention, searched) = (messenger.settings().event_retention, messenger.settings().search_retention);
    loop {
        failures.log(messenger.operations().rotate(retention).await);
        for _ in 0..ROTATE_EVERY {
            failures.log(messenger.operations().tidy_search(searched).await);
            if let Some(expired @ 1..) = failures.log(messenger.operations().expire().await) {
                tracing::info!(expired, "notifications expired");
            }
            sleep(EXPIRE).await;
        }
    }
}

/// Reads the homeserver's `/sync`, which has the events that push missed.
async fn reconcile(messenger: &Messenger, worker: &str, activity: &Activity) -> Infallible {
    let mut failures = Failures::new("reconciliation failed; retrying");
    loop {
        let next = Instant::now() + SYNC_INTERVAL;
        let span = error_span!("reconcile", worker);
        let reconciled = messenger.reconcile().run(worker, SYNC_WAIT).instrument(span).await;
        if failures.log(reconciled) == Some(Lease::Held(())) {
            // The homeserver answers before the end of the wait if there are events.
            activity.note();
            sleep_until(next).await;
        } else {
            // The homeserver is away, or another worker holds the lease.
            sleep(PROBE).await;
        }
    }
}

/// Searches for rooms that neither push nor `/sync` has shown: after the start, and at intervals.
async fn search(messenger: &Messenger, worker: &str, activity: &Activity) -> Infallible {
    let mut failures = Failures::new("searching for undiscovered rooms failed; retrying");
    let mut after = None;
    loop {
        let span = error_span!("discover_rooms", worker);
        // After a failure the same page is requested again.
        if let Some(lease) =
            failures.log(messenger.discovery().discover(worker, after.as_ref()).instrument(span).await)
        {
            after = lease.held().flatten();
            if after.is_some() {
                activity.note();
            }
        }
        if after.is_none() && !failures.lasting {
            wait_for_search(messenger, &mut failures).await;
        } else {
            sleep(PROBE).await;
        }
    }
}

/// Waits until the next search is due: [`SEARCH`], or less if the homeserver does not push.
async fn wait_for_search(messenger: &Messenger, failures: &mut Failures) {
    let latest = Instant::now() + SEARCH;
    loop {
        sleep(SEARCH_WITHOUT_PUSH).await;
        if Instant::now() >= latest || failures.log(messenger.push().is_silent().await) != Some(false) {
            return;
        }
    }
}

/// The failures of one loop. Each series is logged at its begin, not at each repetition.
struct Failures {
    message: &'static str,
    lasting: bool,
}

impl Failures {
    fn new(message: &'static str) -> Self {
        Self { message, lasting: false }
    }

    /// Returns the value, or `None` after an error.
    fn log<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                self.lasting = false;
                Some(value)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.lasting, true) {
                    tracing::error!(error = &error as &dyn StdError, "{}", self.message);
                }
                None
            }
        }
    }
}
