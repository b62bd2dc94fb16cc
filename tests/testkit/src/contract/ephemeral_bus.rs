//! Ephemeral events: received by every listener, and stored nowhere.

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

/// The longest that an ephemeral event may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause before an event is published again.
const RETRY: Duration = Duration::from_millis(20);

type Events = BoxStream<'static, EphemeralEvent>;

fn ephemeral(text: &str) -> EphemeralEvent {
    EphemeralEvent::new(Audience::Room(TENANT, room("!1")), &json!({ "type": "typing", "text": text }))
        .expect("a short event")
}

/// Listens to the bus. Returns once a published event has arrived, with all such events removed.
async fn listen(ports: &Ports) -> Result<Events> {
    let mut events = ports.ephemeral_bus.listen();
    for _ in 0..1000 {
        ports.ephemeral_bus.publish(&[ephemeral("ping")]).await?;
        if timeout(RETRY, events.next()).await.is_ok() {
            ports.ephemeral_bus.publish(&[ephemeral("pong")]).await?;
            while next(&mut events).await != ephemeral("pong") {}
            return Ok(events);
        }
    }
    panic!("no event arrives")
}

async fn next(events: &mut Events) -> EphemeralEvent {
    timeout(PATIENCE, events.next()).await.expect("an event in time").expect("the bus goes on")
}

/// Every listener receives each event byte for byte, whatever its audience.
pub async fn every_listener_receives_an_ephemeral_event_unchanged(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut listeners = [listen(&ports).await?, ports.ephemeral_bus.listen()];
    let fields = json!({ "text": "Größe \"5\" \\ \n\t\u{0} \u{7f} '; 🏭 %s {}", "n": 1.5, "none": null });
    for audience in [
        Audience::Room(TENANT, room("!a/../b?\n\"c\":x")),
        Audience::User(TENANT, user("müller")),
        Audience::Tenant(TENANT),
    ] {
        let event = EphemeralEvent::new(audience, &fields)?;
        ports.ephemeral_bus.publish(std::slice::from_ref(&event)).await?;
        for events in &mut listeners {
            assert_eq!(next(events).await, event);
        }
    }
    Ok(())
}

/// Events of one publisher arrive in order, whether published together or one by one.
pub async fn ephemeral_events_arrive_in_order(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut events = listen(&ports).await?;
    let published: Vec<_> = (0..60).map(|n| ephemeral(&n.to_string())).collect();
    for some in published.chunks(3) {
        ports.ephemeral_bus.publish(some).await?;
    }
    for one in published {
        assert_eq!(next(&mut events).await, one);
    }
    ports.ephemeral_bus.publish(&[]).await
}

/// Each event that `EphemeralEvent::new` accepts can be published.
pub async fn the_longest_ephemeral_event_arrives(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut events = listen(&ports).await?;
    let around = ephemeral("").to_string().len();
    let longest = ephemeral(&"x".repeat(EPHEMERAL_MAX - around));
    assert_eq!(longest.to_string().len(), EPHEMERAL_MAX);
    ports.ephemeral_bus.publish(std::slice::from_ref(&longest)).await?;
    assert_eq!(next(&mut events).await, longest);
    Ok(())
}

/// The event log does not grow by ephemeral events.
pub async fn ephemeral_events_are_not_stored_in_the_log(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let before = ports.feed.span().await?;
    let _events = listen(&ports).await?;
    assert_eq!(ports.feed.span().await?, before);
    Ok(())
}

/// A listener that reads nothing delays neither publishers nor other listeners.
pub async fn an_idle_listener_delays_no_other(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut events = listen(&ports).await?;
    let mut idle = ports.ephemeral_bus.listen();
    let many: Vec<_> = (0..100).map(|n| ephemeral(&n.to_string())).collect();
    for _ in 0..30 {
        ports.ephemeral_bus.publish(&many).await?;
        while next(&mut events).await != many[99] {}
    }
    ports.ephemeral_bus.publish(&[ephemeral("last")]).await?;
    let mut missed = 0;
    while next(&mut idle).await != ephemeral("last") {
        missed += 1;
    }
    assert!(missed < 3000, "the buffer of a listener is bounded");
    Ok(())
}
