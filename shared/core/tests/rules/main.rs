//! Tests of the service's rules on in-memory ports: time is set, not slept.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation fails the test"
)]

mod adopt;
mod alarm;
mod alarm_delivery;
mod alarm_engine;
mod copied_feed;
mod crash;
mod database_away;
mod direct_message;
mod echo;
mod encrypted;
mod external;
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
mod other_client;
mod other_client_content;
mod outage;
mod poll;
mod push;
mod quarantine;
mod receipts;
mod reconcile;
mod redacted_payloads;
mod redactions;
mod refused;
mod rendering;
mod reset;
mod rooms;
mod sign_in;
mod slow_reader;
mod stream_stress;
mod subscription;
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
/// The wait budget of a caller that does not wait.
const NO_WAIT: Duration = Duration::ZERO;
/// More than the longest backoff of a room queue.
const AFTER_BACKOFF: Duration = Duration::from_mins(6);

/// Moves all clocks forward, also tokio's, which must be paused.
async fn pass(messenger: &TestMessenger, time: Duration) {
    messenger.pass(time);
    tokio::time::advance(time).await;
}

/// Does all pending work, over all backoffs.
async fn run_until_idle(messenger: &TestMessenger) {
    for _ in 0..5 {
        messenger.pass(AFTER_BACKOFF);
        messenger.work().await;
    }
}

/// Signs a user of the usual tenant in and provisions them.
async fn ready_caller(messenger: &TestMessenger, name: &str) -> Caller {
    let caller = messenger.caller(name, fixtures::TENANT).await;
    messenger.work().await;
    caller
}

/// Signs a user with this role in and provisions them.
async fn ready_with(messenger: &TestMessenger, name: &str, role: Role) -> Caller {
    let user =
        messenger.users().sign_in(Identity { role, ..fixtures::identity(name) }).await.expect("signed in");
    messenger.work().await;
    let stored = messenger.ports.users.in_any_tenant(user.id()).await.expect("found").expect("known");
    Caller { user: stored, expires_at: messenger.clock.now() + Duration::from_hours(1) }
}

/// Records that the service has made the accounts of these users, without provisioning them.
async fn record_accounts(messenger: &TestMessenger, names: &[&str]) {
    for name in names {
        let user =
            messenger.ports.users.in_any_tenant(&fixtures::user(name)).await.expect("found").expect("known");
        messenger.ports.users.record_account(&user, Account::Ours, AFTER_BACKOFF).await.expect("stored");
    }
}

/// Provisions a user. Returns them and the general room.
async fn in_general_room(messenger: &TestMessenger, name: &str) -> (Caller, RoomId) {
    let caller = ready_caller(messenger, name).await;
    let room =
        messenger.ports.memberships.of(fixtures::TENANT, caller.user.id()).await.expect("rooms").remove(0);
    (caller, room)
}

/// Returns an identity in a tenant.
fn identity_in(tenant: TenantId, name: &str) -> Identity {
    Identity { tenant, ..fixtures::identity(name) }
}

/// Polls a future at most so many times and leaves it there, so that other calls run in between.
async fn poll_at_most<F: Future + Unpin>(polls: usize, future: &mut F) -> Option<F::Output> {
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
