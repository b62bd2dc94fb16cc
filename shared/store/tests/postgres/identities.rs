//! Signals of changed users, and what happens to a watcher whose connection is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use messenger_core::{
    id::HubUserId,
    port::{UserWatcher, Users as _},
    user::{Identity, Role},
};
use messenger_testkit::fixtures::{identity, user};

use crate::database::LocalAppends;

/// The longest time for a signal on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Ear {
    begun: AtomicUsize,
    ended: AtomicUsize,
    changes: AtomicUsize,
}

impl UserWatcher for Ear {
    fn changed(&self, _: &HubUserId, _: &str) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    fn listening(&self, is_listening: bool) {
        let count = if is_listening { &self.begun } else { &self.ended };
        count.fetch_add(1, Ordering::SeqCst);
    }
}

async fn reaches(count: &AtomicUsize, at_least: usize) {
    let wait = async {
        while count.load(Ordering::SeqCst) < at_least {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it happens in time");
}

#[tokio::test]
async fn a_watcher_is_told_when_its_connection_is_lost_and_when_it_is_back() {
    let local_appends = LocalAppends::database().await;
    let (store, other) = (local_appends.beside(), local_appends.beside());
    let anna = |role| Identity { role, ..identity("anna") };
    other.sign_in(&anna(Role::User), "anna").await.expect("signed in");
    let ear = Arc::new(Ear::default());
    store.watch(ear.clone());
    reaches(&ear.begun, 1).await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and query ilike 'listen%'";
    local_appends.client().await.execute(end, &[]).await.expect("it is ended");
    reaches(&ear.ended, 1).await;
    reaches(&ear.begun, 2).await;
    other.sign_in(&anna(Role::Admin), "anna").await.expect("signed in");
    reaches(&ear.changes, 1).await;
    // Changes of nobody's making but an operator's are signalled, too.
    let client = local_appends.client().await;
    client
        .execute("update users set role = 'viewer' where hub_user_id = 'anna'", &[])
        .await
        .expect("changed");
    reaches(&ear.changes, 2).await;
    client.execute("delete from users where hub_user_id = 'anna'", &[]).await.expect("deleted");
    reaches(&ear.changes, 3).await;
    assert_eq!(store.in_any_tenant(&user("anna")).await.expect("looked"), None);
}
