//! Ephemeral events: heard by everybody who listens, and kept nowhere.

use std::time::Duration;

use futures::{StreamExt as _, stream::BoxStream};
use messenger_core::{
    Ports, Result,
    ephemeral::{EPHEMERAL_MAX, EphemeralEvent},
    event::Audience,
};
use serde_json::json;
use tokio::time::timeout;

use super::Store;
use crate::fixtures::{TENANT, room, user};

/// Time that an ephemeral event may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait before something is said again.
const AGAIN: Duration = Duration::from_millis(20);

type Heard = BoxStream<'static, EphemeralEvent>;

fn ephemeral(said: &str) -> EphemeralEvent {
    EphemeralEvent::new(Audience::Room(TENANT, room("!1")), &json!({ "type": "typing", "said": said }))
        .expect("it is short")
}

/// Listens, from now on for sure: publishes events until one is heard, and takes them all out.
async fn listening(ports: &Ports) -> Result<Heard> {
    let mut heard = ports.ephemeral_bus.listen();
    for _ in 0..1000 {
        ports.ephemeral_bus.publish(&[ephemeral("is it heard?")]).await?;
        if timeout(AGAIN, heard.next()).await.is_ok() {
            ports.ephemeral_bus.publish(&[ephemeral("it is")]).await?;
            while next(&mut heard).await != ephemeral("it is") {}
            return Ok(heard);
        }
    }
    panic!("nothing is heard")
}

async fn next(heard: &mut Heard) -> EphemeralEvent {
    timeout(PATIENCE, heard.next()).await.expect("an event in time").expect("it goes on")
}

/// Byte for byte, to each of them, whomever it is for.
pub async fn everybody_who_listens_hears_a_ephemeral_event_as_it_was_said(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut listeners = [listening(&ports).await?, ports.ephemeral_bus.listen()];
    let fields = json!({ "said": "Größe \"5\" \\ \n\t\u{0} \u{7f} '; 🏭 %s {}", "n": 1.5, "none": null });
    for audience in [
        Audience::Room(TENANT, room("!a/../b?\n\"c\":x")),
        Audience::User(TENANT, user("müller")),
        Audience::Tenant(TENANT),
    ] {
        let said = EphemeralEvent::new(audience, &fields)?;
        ports.ephemeral_bus.publish(std::slice::from_ref(&said)).await?;
        for heard in &mut listeners {
            assert_eq!(next(heard).await, said);
        }
    }
    Ok(())
}

/// Those of one teller, said together or one after the other.
pub async fn ephemeral_events_come_in_order(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut heard = listening(&ports).await?;
    let said: Vec<_> = (0..60).map(|n| ephemeral(&n.to_string())).collect();
    for some in said.chunks(3) {
        ports.ephemeral_bus.publish(some).await?;
    }
    for one in said {
        assert_eq!(next(&mut heard).await, one);
    }
    ports.ephemeral_bus.publish(&[]).await
}

/// Each event that `EphemeralEvent::new` accepts can be published.
pub async fn the_longest_ephemeral_event_arrives(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut heard = listening(&ports).await?;
    let around = ephemeral("").to_string().len();
    let longest = ephemeral(&"x".repeat(EPHEMERAL_MAX - around));
    assert_eq!(longest.to_string().len(), EPHEMERAL_MAX);
    ports.ephemeral_bus.publish(std::slice::from_ref(&longest)).await?;
    assert_eq!(next(&mut heard).await, longest);
    Ok(())
}

/// The event log does not grow by them.
pub async fn ephemeral_events_stand_in_no_log(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let before = ports.feed.span().await?;
    let _heard = listening(&ports).await?;
    assert_eq!(ports.feed.span().await?, before);
    Ok(())
}

/// Somebody who reads nothing costs neither the tellers nor the other listeners anything.
pub async fn who_does_not_listen_holds_nobody_up(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut heard = listening(&ports).await?;
    let mut asleep = ports.ephemeral_bus.listen();
    let many: Vec<_> = (0..100).map(|n| ephemeral(&n.to_string())).collect();
    for _ in 0..30 {
        ports.ephemeral_bus.publish(&many).await?;
        while next(&mut heard).await != many[99] {}
    }
    ports.ephemeral_bus.publish(&[ephemeral("last")]).await?;
    let mut missed = 0;
    while next(&mut asleep).await != ephemeral("last") {
        missed += 1;
    }
    assert!(missed < 3000, "what waits for one of them is bounded");
    Ok(())
}
