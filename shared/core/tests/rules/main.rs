//! The rules of the service, on ports in memory: time is set, not slept.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a test needs and does not get fails it"
)]

mod adopt;
mod crash;
mod database_away;
mod direct_message;
mod echo;
mod elsewhere;
mod emptied;
mod encrypted;
mod external;
mod follow_stress;
mod foreign_account;
mod history;
mod identity;
mod inbound;
mod invited;
mod isolation;
mod messages;
mod naming;
mod newest_token;
mod notify;
mod outage;
mod poll;
mod push;
mod quarantine;
mod receipts;
mod reconcile;
mod refused;
mod rendering;
mod reset;
mod rooms;
mod sign_in;
mod slow_reader;
mod subscription;
mod taken_back;
mod typing;
mod undiscovered;
mod upgraded;
mod visibility;

use std::{task::Poll, time::Duration};

use messenger_core::{
    id::{RoomId, TenantId},
    port::Clock as _,
    user::{Account, Caller, Identity, Role},
};
use messenger_testkit::{TestMessenger, fixtures};

/// The usual wait budget.
const WAIT: Duration = Duration::from_secs(3);
/// Nobody waits.
const NO_WAIT: Duration = Duration::ZERO;
/// More than the longest rest of a room queue.
const RESTED: Duration = Duration::from_mins(6);

/// Lets time pass for everything, where tokio's time is paused.
async fn pass(messenger: &TestMessenger, time: Duration) {
    messenger.pass(time);
    tokio::time::advance(time).await;
}

/// Does everything that is left, however often it has to be tried.
async fn run_until_idle(messenger: &TestMessenger) {
    for _ in 0..5 {
        messenger.pass(RESTED);
        messenger.work().await;
    }
}

/// Signs a user of the usual tenant in, whose account is then ready.
async fn ready_caller(messenger: &TestMessenger, name: &str) -> Caller {
    let caller = messenger.caller(name, fixtures::TENANT).await;
    messenger.work().await;
    caller
}

/// Signs a user in with this role; their account is ready.
async fn ready_with(messenger: &TestMessenger, name: &str, role: Role) -> Caller {
    let user =
        messenger.users().sign_in(Identity { role, ..fixtures::identity(name) }).await.expect("signed in");
    messenger.work().await;
    let stored = messenger.ports.users.in_any_tenant(user.id()).await.expect("found").expect("known");
    Caller { user: stored, expires_at: messenger.clock.now() + Duration::from_hours(1) }
}

/// This service has made the accounts of these users, and has done nothing else yet.
async fn accounts_made(messenger: &TestMessenger, names: &[&str]) {
    for name in names {
        let user =
            messenger.ports.users.in_any_tenant(&fixtures::user(name)).await.expect("found").expect("known");
        messenger.ports.users.record_account(&user, Account::Ours, RESTED).await.expect("stored");
    }
}

/// The same, and the general room, which they are in.
async fn in_general_room(messenger: &TestMessenger, name: &str) -> (Caller, RoomId) {
    let caller = ready_caller(messenger, name).await;
    let room =
        messenger.ports.memberships.of(fixtures::TENANT, caller.user.id()).await.expect("rooms").remove(0);
    (caller, room)
}

/// A user id in a tenant.
fn identity_in(tenant: TenantId, name: &str) -> Identity {
    Identity { tenant, ..fixtures::identity(name) }
}

/// Polls a future at most so many times, and leaves it there: others come in between.
async fn part_of<F: Future + Unpin>(polls: usize, future: &mut F) -> Option<F::Output> {
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match std::pin::Pin::new(&mut *future).poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
