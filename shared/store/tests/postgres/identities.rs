//! Notifications of changed users, and their watchers when the connection is lost.

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

use crate::database::TestStore;

/// Time limit for a notification on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Watcher {
    begun: AtomicUsize,
    ended: AtomicUsize,
    changes: AtomicUsize,
}

impl UserWatcher for Watcher {
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
    tokio::time::timeout(PATIENCE, wait).await.expect("the count is reached in time");
}

#[tokio::test]
async fn a_watcher_is_notified_when_its_connection_is_lost_and_restored() {
    let database = TestStore::create().await;
    let (store, other) = (database.beside(), database.beside());
    let anna = |role| Identity { role, ..identity("anna") };
    other.sign_in(&anna(Role::User), "anna").await.expect("signed in");
    let watcher = Arc::new(Watcher::default());
    store.watch(watcher.clone());
    reaches(&watcher.begun, 1).await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and query ilike 'listen%'";
    database.client().await.execute(end, &[]).await.expect("the connection is ended");
    reaches(&watcher.ended, 1).await;
    reaches(&watcher.begun, 2).await;
    other.sign_in(&anna(Role::Admin), "anna").await.expect("signed in");
    reaches(&watcher.changes, 1).await;
    // The trigger also notifies of an operator's changes.
    let client = database.client().await;
    client
        .execute("update users set role = 'viewer' where hub_user_id = 'anna'", &[])
        .await
        .expect("changed");
    reaches(&watcher.changes, 2).await;
    client.execute("delete from users where hub_user_id = 'anna'", &[]).await.expect("deleted");
    reaches(&watcher.changes, 3).await;
    assert_eq!(store.in_any_tenant(&user("anna")).await.expect("looked"), None);
}
