//! Ephemeral events between processes on one database, and beside the event log.

use std::time::Duration;

use futures::StreamExt as _;
use messenger_core::{
    ephemeral::{EPHEMERAL_MAX, EphemeralEvent},
    event::Audience,
    port::EphemeralBus,
};
use messenger_testkit::fixtures::{TENANT, room};
use serde_json::json;
use tokio::time::timeout;

use crate::database::LocalAppends;

fn ephemeral(said: &str) -> EphemeralEvent {
    let audience = Audience::Room(TENANT, room("!1"));
    EphemeralEvent::new(audience, &json!({ "said": said })).expect("it is short")
}

#[tokio::test]
async fn what_one_process_ephemeral_events_all_of_them_hear() {
    let local_appends = LocalAppends::database().await;
    let teller = local_appends.beside();
    let processes = [local_appends.beside(), local_appends.beside(), local_appends.beside()];
    for process in &processes {
        let mut heard = process.listen();
        let said = ephemeral("x");
        for attempt in 0.. {
            assert!(attempt < 1000, "nothing is heard");
            teller.publish(std::slice::from_ref(&said)).await.expect("published");
            if let Ok(heard) = timeout(Duration::from_millis(20), heard.next()).await {
                assert_eq!(heard, Some(said));
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_hundred_of_the_longest_are_one_statement() {
    let local_appends = LocalAppends::database().await;
    let teller = local_appends.beside();
    let longest = "x".repeat(EPHEMERAL_MAX - ephemeral("").to_string().len() - 3);
    let many: Vec<_> = (100..200).map(|n| ephemeral(&format!("{n}{longest}"))).collect();
    teller.publish(&many).await.expect("published");
    assert_eq!(teller.statements(), 1);
}
