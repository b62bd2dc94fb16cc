//! The worker's loops. Each looks on its own now and then; being told only makes it quicker.

use std::{convert::Infallible, error::Error as StdError, time::Duration};

use messenger_core::{Error, Messenger, Result, lease::Lease};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

/// How many room queues are drained side by side.
const QUEUES: usize = 16;
/// How many accounts are made ready side by side.
const ACCOUNTS: usize = 8;
/// How often work is looked for without being told.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the homeserver is asked while something rests.
const PROBE: Duration = Duration::from_secs(1);
/// How long the homeserver may let its reader wait while nothing happens.
const STREAM_WAIT: Duration = Duration::from_secs(15);
/// The homeserver's stream is read once in this time at the most, to spare it an answer for each message: push has mostly
/// told of it before, and where it has not this is soon enough.
const STREAM_PACE: Duration = Duration::from_millis(250);
/// Pause between two searches for new rooms while the homeserver pushes.
const SEARCH: Duration = Duration::from_mins(3);
/// The same while it does not: nobody else tells of a room in which the bot is not.
const SEARCH_SOON: Duration = Duration::from_secs(3);
/// How often notifications are expired.
const EXPIRE: Duration = Duration::from_secs(30);
/// After so many times the event log is rotated, too.
const ROTATE_EVERY: u32 = 20;

/// Works until it is dropped.
pub(crate) async fn forever(messenger: &Messenger, worker: &str) {
    let (accounts, pending_leaves) = (Notify::new(), Notify::new());
    tokio::select! {
        never = deliver(messenger, [&accounts, &pending_leaves]) => match never {},
        never = provision(messenger, &accounts) => match never {},
        never = withdraw(messenger, &pending_leaves) => match never {},
        never = retry_now(messenger) => match never {},
        never = keep_up(messenger) => match never {},
        never = reconcile(messenger, worker) => match never {},
        never = search(messenger, worker) => match never {},
    }
}

/// Drains room queues as they become due. Tells the others whenever there may be work for them.
async fn deliver(messenger: &Messenger, others: [&Notify; 2]) -> Infallible {
    let mut queues = JoinSet::new();
    let mut trouble = Trouble::new("lanes cannot be claimed");
    loop {
        for other in others {
            other.notify_one();
        }
        while queues.len() < QUEUES {
            match trouble.watch(messenger.delivery().claim_queue().await) {
                Some(Some(queue)) => {
                    let messenger = messenger.clone();
                    queues.spawn(async move { messenger.delivery().drain(&queue).await });
                }
                Some(None) | None => break,
            }
        }
        tokio::select! {
            () = messenger.operations().wait_for_work(PATIENCE), if queues.len() < QUEUES => {}
            Some(drained) = queues.join_next() => {
                if let Ok(Err(error)) = drained {
                    tracing::error!(error = &error as &dyn StdError, "a lane is left to the end of its lease");
                }
            }
        }
    }
}

/// Makes Matrix accounts ready as they become due, several side by side. A slow one holds up no other.
async fn provision(messenger: &Messenger, told: &Notify) -> Infallible {
    let mut accounts = JoinSet::new();
    let mut trouble = Trouble::new("accounts cannot be claimed");
    loop {
        if let free @ 1.. = ACCOUNTS.saturating_sub(accounts.len()) {
            for user in trouble.watch(messenger.provisioning().claim(free).await).unwrap_or_default() {
                let messenger = messenger.clone();
                accounts.spawn(async move { messenger.provisioning().provision_claimed(&user).await });
            }
        }
        tokio::select! {
            () = told.notified(), if accounts.len() < ACCOUNTS => {}
            Some(provisioned) = accounts.join_next() => {
                if let Ok(Err(error)) = provisioned {
                    tracing::error!(error = &error as &dyn StdError, "an account is left to the end of its lease");
                }
            }
        }
    }
}

/// Lets people leave rooms, and logs out those whose access was withdrawn.
async fn withdraw(messenger: &Messenger, told: &Notify) -> Infallible {
    let mut trouble = Trouble::new("departures cannot be claimed");
    loop {
        told.notified().await;
        while trouble.watch(messenger.rooms().leave_due().await).is_some_and(|taken| taken > 0) {}
        while trouble.watch(messenger.external_clients().revoke_due().await).is_some_and(|taken| taken > 0) {}
    }
}

/// While something rests after a failure, asks the homeserver whether it is back, and goes on at once if it is.
async fn retry_now(messenger: &Messenger) -> Infallible {
    let mut trouble = Trouble::new("resting lanes cannot be looked at");
    let mut was_away = true;
    loop {
        sleep(PROBE).await;
        let operations = messenger.operations();
        if trouble.watch(operations.is_backing_off().await) != Some(true) {
            continue;
        }
        let is_away = operations.check_homeserver().await.is_err();
        if was_away && !is_away {
            tracing::info!("the homeserver answers: going on with what rests");
            trouble.watch(operations.retry_now().await);
        }
        was_away = is_away;
    }
}

/// Expires what waited too long, and rotates the event log.
async fn keep_up(messenger: &Messenger) -> Infallible {
    let mut trouble = Trouble::new("maintenance failed; retrying");
    let mut levels = Trouble::new("power levels of rooms cannot be corrected");
    let retention = messenger.settings().event_retention;
    loop {
        trouble.watch(messenger.operations().rotate(retention).await);
        for _ in 0..ROTATE_EVERY {
            while levels.watch(messenger.power_levels().correct().await).is_some_and(|taken| taken > 0) {}
            if let Some(expired @ 1..) = trouble.watch(messenger.operations().expire().await) {
                tracing::info!(expired, "notifications expired");
            }
            sleep(EXPIRE).await;
        }
    }
}

/// Reads on in the homeserver's own stream: what push missed comes from there.
async fn reconcile(messenger: &Messenger, worker: &str) -> Infallible {
    let mut trouble = Trouble::new("the homeserver's stream cannot be read");
    loop {
        let next = Instant::now() + STREAM_PACE;
        if trouble.watch(messenger.reconcile().run(worker, STREAM_WAIT).await) == Some(Lease::Held(())) {
            sleep_until(next).await;
        } else {
            // The homeserver is away, or another worker reads.
            sleep(PROBE).await;
        }
    }
}

/// Looks for rooms that neither push nor the stream has told us of: after the start, and now and then.
async fn search(messenger: &Messenger, worker: &str) -> Infallible {
    let mut trouble = Trouble::new("rooms made with other clients cannot be looked for");
    let mut after = None;
    loop {
        // A homeserver that was away is asked the same again.
        if let Some(lease) = trouble.watch(messenger.discovery().discover(worker, after.as_ref()).await) {
            after = lease.held().flatten();
        }
        if after.is_none() && !trouble.lasting {
            rest_until_search(messenger, &mut trouble).await;
        } else {
            sleep(PROBE).await;
        }
    }
}

/// Waits until rooms are to be looked for again.
async fn rest_until_search(messenger: &Messenger, trouble: &mut Trouble) {
    let latest = Instant::now() + SEARCH;
    loop {
        sleep(SEARCH_SOON).await;
        if Instant::now() >= latest || trouble.watch(messenger.push().is_silent().await) != Some(false) {
            return;
        }
    }
}

/// Logs a trouble when it begins, not each time it is met again.
struct Trouble {
    what: &'static str,
    lasting: bool,
}

impl Trouble {
    fn new(what: &'static str) -> Self {
        Self { what, lasting: false }
    }

    fn watch<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => {
                self.lasting = false;
                Some(value)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.lasting, true) {
                    tracing::error!(error = &error as &dyn StdError, "{}", self.what);
                }
                None
            }
        }
    }
}
