//! The outcome of a notification: sent, rejected, or postponed.

use std::time::Duration;

use messenger_core::{
    Ports, Result,
    event::Kind,
    id::EventId,
    notification::{NewNotification, Notification, Status},
};

use super::{LONG, SHORT, Store, accept, claim, eventually, pending};
use crate::fixtures::{
    OTHER_TENANT, TENANT, delivered, dm, draft, identity, machine, new_notification, room, titles, waiting,
};

async fn found(ports: &Ports, notification: &Notification) -> Result<Notification> {
    Ok(ports.notifications.find(TENANT, notification.id).await?.expect("it is stored"))
}

async fn mark_sent(ports: &Ports, notification: &Notification) -> Result<()> {
    ports.outbox.sent(&[delivered(notification.id, "$1")]).await.map(drop)
}

/// A sent notification names its room and event, and is no longer due.
pub async fn a_sent_notification_names_its_room_and_event(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) =
        accept(&ports, NewNotification { options: waiting(LONG), ..new_notification(draft("x")) }).await?;
    ports.outbox.postpone(&stored, SHORT, "homeserver_error", "a detail").await?;
    mark_sent(&ports, &stored).await?;
    let found = found(&ports, &stored).await?;
    assert_eq!(found.status, Status::Sent);
    assert_eq!((found.room, found.event), (Some(room("!1")), Some(EventId::new("$1"))));
    assert_eq!((found.reason, found.next_attempt_at, found.in_flight), (None, None, None));
    Ok(())
}

/// The message of a notification is published with its room and event, to the audience of the notification.
pub async fn a_sent_notification_is_published_once_to_its_audience(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    let (general, _) = accept(&ports, new_notification(draft("x"))).await?;
    let (direct, _) = accept(&ports, new_notification(dm("anna", "x"))).await?;
    let (failed, _) = accept(&ports, new_notification(machine(1, "x"))).await?;
    ports.outbox.failed(failed.id, "refused", "a detail").await?;
    let before = ports.feed.span().await?.head;
    let all = [&general, &direct, &failed].map(|one| delivered(one.id, &format!("${}", one.id)));
    for _ in 0..2 {
        ports.outbox.sent(&all).await?;
    }
    let events = ports.feed.next(before, 10).await?;
    assert_eq!(events.len(), 2);
    for (event, notification) in events.iter().zip([&general, &direct]) {
        assert_eq!((event.kind, event.notification), (Kind::NotificationSent, Some(notification.id)));
        assert_eq!(event.audience, notification.draft.audience(TENANT));
        assert_eq!((&event.room, event.notification_created_at), (&Some(room("!1")), None));
        let expected = format!(r#"{{"room_id":"!1","event_id":"${}"}}"#, notification.id);
        assert_eq!(event.payload.as_str(), expected);
    }
    Ok(())
}

/// A rejected notification names the reason, and is no longer due.
pub async fn a_rejected_notification_names_the_reason(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
    ports.outbox.failed(stored.id, "refused_by_homeserver", "a detail").await?;
    let queue = claim(&ports).await?;
    assert_eq!(pending(&ports, &queue).await?, []);
    let found = found(&ports, &stored).await?;
    assert_eq!((found.status, found.reason.as_deref()), (Status::Failed, Some("refused_by_homeserver")));
    assert_eq!(found.next_attempt_at, None);
    Ok(())
}

/// A sent notification stays sent, whatever a slower worker stores.
pub async fn a_sent_notification_stays_sent(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
    mark_sent(&ports, &stored).await?;
    let before = found(&ports, &stored).await?;
    ports.outbox.failed(stored.id, "refused", "a detail").await?;
    ports.outbox.postpone(&stored, LONG, "homeserver_unavailable", "a detail").await?;
    assert_eq!(found(&ports, &stored).await?, before);
    assert!(!ports.maintenance.is_backing_off().await?, "a sent notification causes no backoff");
    Ok(())
}

/// A postponed notification counts the attempt, and names the reason and the next attempt.
pub async fn a_postponed_notification_names_the_reason_and_the_next_attempt(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) =
        accept(&ports, NewNotification { options: waiting(LONG), ..new_notification(draft("x")) }).await?;
    for attempts in 1..4 {
        ports
            .outbox
            .postpone(&stored, Duration::from_secs(100), "homeserver_unavailable", "a detail")
            .await?;
        let found = found(&ports, &stored).await?;
        assert_eq!((found.status, found.attempts), (Status::Pending, attempts));
        assert_eq!(found.reason.as_deref(), Some("homeserver_unavailable"));
        assert_eq!(found.in_flight, None, "no caller waits for it any longer");
        let next = found.next_attempt_at.expect("it is tried again").duration_since(stored.created_at);
        assert!((100..160).contains(&next.as_secs()), "{next}");
    }
    Ok(())
}

/// The room queue of a postponed notification is due after its backoff, also if it was claimed for longer.
pub async fn the_queue_of_a_postponed_notification_backs_off(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
    claim(&ports).await?;
    ports.outbox.postpone(&stored, LONG, "homeserver_unavailable", "a detail").await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    ports.outbox.postpone(&stored, SHORT, "homeserver_unavailable", "a detail").await?;
    let queue = eventually(store, async || ports.outbox.claim(LONG).await).await?;
    assert_eq!(titles(&pending(&ports, &queue).await?), ["x"]);
    Ok(())
}

/// A new notification shortens no backoff, and other room queues are not delayed.
pub async fn a_new_notification_does_not_shorten_a_backoff(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
    ports.outbox.postpone(&stored, LONG, "homeserver_unavailable", "a detail").await?;
    for wait in [Duration::ZERO, LONG] {
        accept(&ports, NewNotification { options: waiting(wait), ..new_notification(draft("later")) })
            .await?;
        assert_eq!(ports.outbox.claim(LONG).await?, None);
    }
    let (other, _) = accept(&ports, new_notification(machine(1, "other queue"))).await?;
    assert_eq!(claim(&ports).await?.name, other.key().to_string());
    Ok(())
}

/// A room queue keeps its order over a backoff.
pub async fn a_backoff_does_not_change_the_order(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, new_notification(draft("1"))).await?;
    accept(&ports, new_notification(draft("2"))).await?;
    ports.outbox.postpone(&first, SHORT, "homeserver_unavailable", "a detail").await?;
    accept(&ports, new_notification(draft("3"))).await?;
    store.pass(SHORT * 2).await;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["1", "2", "3"]);
    Ok(())
}

/// Each failed attempt is kept with its number, reason, detail and next attempt, and the delivery with its time.
pub async fn the_history_has_each_failed_attempt_and_the_delivery(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
    let history = async || {
        let history = ports.notifications.history(TENANT, stored.id).await?;
        Ok::<_, messenger_core::Error>(history.expect("it is stored"))
    };
    let before = history().await?;
    assert_eq!((before.notification.id, before.sent_at, before.failures), (stored.id, None, vec![]));
    ports.outbox.postpone(&stored, SHORT, "homeserver_unavailable", "no response").await?;
    ports.outbox.postpone(&stored, SHORT, "homeserver_error", "a broken response").await?;
    mark_sent(&ports, &stored).await?;
    ports.outbox.failed(stored.id, "refused_by_homeserver", "too late").await?;
    let after = history().await?;
    assert!(after.sent_at.is_some_and(|sent_at| sent_at >= stored.created_at));
    let failures: Vec<_> = after
        .failures
        .iter()
        .map(|failed| (failed.attempt, failed.reason.as_str(), failed.detail.as_str()))
        .collect();
    let expected =
        [(1, "homeserver_unavailable", "no response"), (2, "homeserver_error", "a broken response")];
    assert_eq!(failures, expected);
    assert!(after.failures.iter().all(|failed| failed.next_attempt_at > Some(failed.failed_at)));
    assert_eq!(ports.notifications.history(OTHER_TENANT, stored.id).await?, None);
    Ok(())
}

/// The last attempt of a rejected notification is kept, and has no next one.
pub async fn a_rejection_is_the_last_attempt(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
    ports.outbox.failed(stored.id, "room_encrypted", "the room is encrypted").await?;
    let history = ports.notifications.history(TENANT, stored.id).await?.expect("it is stored");
    let [failed] = &history.failures[..] else { panic!("one attempt: {:?}", history.failures) };
    assert_eq!((failed.attempt, failed.reason.as_str()), (1, "room_encrypted"));
    assert_eq!((failed.detail.as_str(), failed.next_attempt_at), ("the room is encrypted", None));
    Ok(())
}
