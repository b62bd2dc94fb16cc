//! What becomes of a notification: sent, failed, or postponed.

use std::time::Duration;

use messenger_core::{
    Ports, Result,
    id::EventId,
    notification::{NewNotification, Notification, Status},
};

use super::{LONG, SHORT, Store, accept, claim, in_time, pending};
use crate::fixtures::{TENANT, delivered, draft, entry, machine, room, titles, waiting};

async fn found(ports: &Ports, notification: &Notification) -> Result<Notification> {
    Ok(ports.notifications.find(TENANT, notification.id).await?.expect("it is stored"))
}

async fn sent(ports: &Ports, notification: &Notification) -> Result<()> {
    ports.outbox.sent(&[delivered(notification.id, "$1")]).await
}

/// What was sent says where, and is no longer anybody's work.
pub async fn what_was_sent_says_where(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, NewNotification { options: waiting(LONG), ..entry(draft("x")) }).await?;
    ports.outbox.postpone(&stored, SHORT, "homeserver_error").await?;
    sent(&ports, &stored).await?;
    let found = found(&ports, &stored).await?;
    assert_eq!(found.status, Status::Sent);
    assert_eq!((found.room, found.event), (Some(room("!1")), Some(EventId::new("$1"))));
    assert_eq!((found.reason, found.next_attempt_at, found.in_flight), (None, None, None));
    Ok(())
}

/// What was refused for good says why, and is no longer anybody's work.
pub async fn what_failed_says_why(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, entry(draft("x"))).await?;
    ports.outbox.failed(stored.id, "refused_by_homeserver").await?;
    let queue = claim(&ports).await?;
    assert_eq!(pending(&ports, &queue).await?, []);
    let found = found(&ports, &stored).await?;
    assert_eq!((found.status, found.reason.as_deref()), (Status::Failed, Some("refused_by_homeserver")));
    assert_eq!(found.next_attempt_at, None);
    Ok(())
}

/// What was sent stays sent, whatever a slower worker says.
pub async fn what_was_sent_stays_sent(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, entry(draft("x"))).await?;
    sent(&ports, &stored).await?;
    let before = found(&ports, &stored).await?;
    ports.outbox.failed(stored.id, "refused").await?;
    ports.outbox.postpone(&stored, LONG, "homeserver_unavailable").await?;
    assert_eq!(found(&ports, &stored).await?, before);
    assert!(!ports.maintenance.is_backing_off().await?, "nothing rests for what was sent");
    Ok(())
}

/// A postponed notification counts the attempt, and says why and when it is tried next.
pub async fn what_was_postponed_says_why_and_when(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, NewNotification { options: waiting(LONG), ..entry(draft("x")) }).await?;
    for attempts in 1..4 {
        ports.outbox.postpone(&stored, Duration::from_secs(100), "homeserver_unavailable").await?;
        let found = found(&ports, &stored).await?;
        assert_eq!((found.status, found.attempts), (Status::Pending, attempts));
        assert_eq!(found.reason.as_deref(), Some("homeserver_unavailable"));
        assert_eq!(found.in_flight, None, "nobody waits for its answer any longer");
        let next = found.next_attempt_at.expect("it is tried again").duration_since(stored.created_at);
        assert!((100..160).contains(&next.as_secs()), "{next}");
    }
    Ok(())
}

/// The room queue of what was postponed rests, also if it was claimed for longer, and is due afterwards.
pub async fn the_queue_of_what_was_postponed_rests(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, entry(draft("x"))).await?;
    claim(&ports).await?;
    ports.outbox.postpone(&stored, LONG, "homeserver_unavailable").await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    ports.outbox.postpone(&stored, SHORT, "homeserver_unavailable").await?;
    let queue = in_time(store, async || ports.outbox.claim(LONG).await).await?;
    assert_eq!(titles(&pending(&ports, &queue).await?), ["x"]);
    Ok(())
}

/// What comes in does not shorten a rest, nor does it rest elsewhere.
pub async fn a_new_notification_does_not_shorten_a_rest(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, entry(draft("x"))).await?;
    ports.outbox.postpone(&stored, LONG, "homeserver_unavailable").await?;
    for wait in [Duration::ZERO, LONG] {
        accept(&ports, NewNotification { options: waiting(wait), ..entry(draft("later")) }).await?;
        assert_eq!(ports.outbox.claim(LONG).await?, None);
    }
    let (other, _) = accept(&ports, entry(machine(1, "other lane"))).await?;
    assert_eq!(claim(&ports).await?.name, other.key().to_string());
    Ok(())
}

/// A room queue that failed gives its entries in the old order.
pub async fn a_rest_does_not_change_the_order(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, entry(draft("1"))).await?;
    accept(&ports, entry(draft("2"))).await?;
    ports.outbox.postpone(&first, SHORT, "homeserver_unavailable").await?;
    accept(&ports, entry(draft("3"))).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["1", "2", "3"]);
    Ok(())
}
