//! Ephemeral events between processes on one database.

use std::time::Duration;

use futures::StreamExt as _;
use messenger_core::{
    ephemeral::{EPHEMERAL_MAX, EphemeralEvent},
    event::Audience,
    port::EphemeralBus,
};
use messenger_store::PgStore;
use messenger_testkit::fixtures::{TENANT, room};
use serde_json::json;
use tokio::time::timeout;

use crate::database::TestStore;

fn ephemeral(content: &str) -> EphemeralEvent {
    let audience = Audience::Room(TENANT, room("!1"));
    EphemeralEvent::new(audience, &json!({ "content": content })).expect("it is short")
}

/// Publishes an event until another process on the database receives it.
pub(crate) async fn assert_received(publisher: &PgStore, process: &PgStore) {
    let mut events = process.listen();
    let sent = ephemeral("x");
    for attempt in 0.. {
        assert!(attempt < 1000, "no event is received");
        publisher.publish(std::slice::from_ref(&sent)).await.expect("published");
        if let Ok(received) = timeout(Duration::from_millis(20), events.next()).await {
            assert_eq!(received, Some(sent));
            break;
        }
    }
}

#[tokio::test]
async fn every_process_receives_the_ephemeral_events_of_one() {
    let database = TestStore::create().await;
    let publisher = database.beside();
    let processes = [database.beside(), database.beside(), database.beside()];
    for process in &processes {
        assert_received(&publisher, process).await;
    }
}

#[tokio::test]
async fn a_hundred_of_the_longest_events_are_published_in_one_statement() {
    let database = TestStore::create().await;
    let publisher = database.beside();
    let longest = "x".repeat(EPHEMERAL_MAX - ephemeral("").to_string().len() - 3);
    let events: Vec<_> = (100..200).map(|n| ephemeral(&format!("{n}{longest}"))).collect();
    publisher.publish(&events).await.expect("published");
    assert_eq!(publisher.statements(), 1);
}
