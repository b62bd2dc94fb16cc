//! Acceptance of notifications: atomic, and once for each idempotency key.

use std::time::Duration;

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind},
    id::{EventId, NotificationId, Position, TenantId},
    notification::{
        AcceptOutcome, Draft, EntityId, Idempotency, NewNotification, Notification, Priority, Satellite,
        SendOptions, Status, Target,
    },
    origin::{Origin, RequestId, Traceparent},
    port::QueueRelease,
};

use super::{LONG, Store, accept, claim, concurrently, pending};
use crate::fixtures::{
    OTHER_TENANT, TENANT, all_of, delivered, dm, draft, identity, machine, new_notification, no_wait,
    retried, room, satellite, titles, user, waiting,
};

/// Returns the notification of the first call and its fingerprint; `None` if this call is the first.
async fn replayed(ports: &Ports, entry: NewNotification) -> Result<Option<(Notification, String)>> {
    Ok(match ports.notifications.accept(entry).await? {
        AcceptOutcome::New { .. } => None,
        AcceptOutcome::Replayed { notification, fingerprint } => Some((*notification, fingerprint)),
    })
}

fn with_key(key: &str, fingerprint: &str) -> NewNotification {
    NewNotification { options: retried(key, fingerprint), ..new_notification(draft("retried")) }
}

/// A stored notification equals the accepted draft, for each kind of target.
pub async fn a_notification_is_stored_as_it_was_accepted(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    let entity = |entity_id| Target::Entity { entity_type: "Maschine/%".to_owned(), entity_id };
    let targets = [
        Target::General,
        Target::Service,
        entity(EntityId::Number(0)),
        entity(EntityId::Number(i64::MIN)),
        entity(EntityId::Text("42".to_owned())),
        entity(EntityId::Text("null".to_owned())),
        Target::Dm(user("anna")),
    ];
    for (n, target) in targets.into_iter().enumerate() {
        let sent = Draft {
            title: "Größe \"5\" '; -- \u{1} 🏭".to_owned(),
            body: (n % 2 == 0).then(|| "a\nb\\".to_owned()),
            priority: if n % 2 == 0 { Priority::Urgent } else { Priority::Normal },
            target,
            ..draft("")
        };
        let known = (n % 2 == 1).then(|| room("!known"));
        let (stored, _) =
            accept(&ports, NewNotification { room: known.clone(), ..new_notification(sent.clone()) }).await?;
        assert_eq!(stored.draft, sent);
        assert_eq!((stored.tenant, stored.status, stored.room.clone()), (TENANT, Status::Pending, known));
        assert_eq!((stored.reason.clone(), stored.event.clone(), stored.expires_at), (None, None, None));
        assert_eq!((stored.attempts, stored.next_attempt_at, stored.announced), (0, None, true));
        assert_eq!(ports.notifications.find(TENANT, stored.id).await?, Some(stored));
    }
    Ok(())
}

/// The request and the trace of a notification are stored with it, for the worker that delivers it.
pub async fn the_origin_of_a_notification_is_stored_with_it(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let request_id = RequestId::parse("satellite-4711");
    let traceparent = Traceparent::new("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    for origin in [
        Origin::default(),
        Origin { request_id: request_id.clone(), traceparent: None },
        Origin { request_id, traceparent: Some(traceparent) },
    ] {
        let options = SendOptions { origin: origin.clone(), ..no_wait() };
        let (stored, _) = accept(&ports, NewNotification { options, ..new_notification(draft("x")) }).await?;
        assert_eq!(stored.origin, origin);
        let found = ports.notifications.find(TENANT, stored.id).await?.expect("a notification");
        assert_eq!(found.origin, origin);
        let queue = claim(&ports).await?;
        let pending = pending(&ports, &queue).await?;
        assert_eq!(pending.last().map(|last| &last.origin), Some(&origin));
        ports.outbox.sent(&[delivered(stored.id, "$1")]).await?;
        ports.outbox.release(&queue, QueueRelease::Drained).await?;
    }
    Ok(())
}

/// Each notification gets a larger id than the one before.
pub async fn notification_ids_grow(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut last = NotificationId(0);
    for _ in 0..5 {
        let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
        assert!(stored.id > last);
        last = stored.id;
    }
    Ok(())
}

/// The live event is in the log when `accept` returns, for the audience of the target.
pub async fn the_live_event_is_appended_on_acceptance(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    let drafts =
        [draft("a"), machine(7, "b"), Draft { target: Target::Service, ..draft("c") }, dm("anna", "d")];
    for (n, draft) in drafts.into_iter().enumerate() {
        let entry = NewNotification { options: waiting(LONG), ..new_notification(draft.clone()) };
        let (stored, _) = accept(&ports, entry.clone()).await?;
        let before = Position(i64::try_from(n).unwrap());
        let events = ports.feed.next(before, 10).await?;
        let [event] = events.as_slice() else { panic!("one event, not {}", events.len()) };
        assert_eq!(event.kind, Kind::Notification);
        assert_eq!(event.audience, draft.audience(TENANT));
        assert_eq!(event.notification, Some(stored.id));
        assert_eq!(event.notification_created_at, Some(stored.created_at));
        assert_eq!(event.payload, entry.payload);
    }
    let anna = Audience::User(TENANT, user("anna"));
    assert_eq!(ports.feed.after(Position(0), &all_of(&[anna]), 10).await?.len(), 1);
    Ok(())
}

/// A notification that no caller waits for is in a room queue that is due.
pub async fn the_queue_is_due_at_once_if_no_caller_waits(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, new_notification(machine(7, "x"))).await?;
    let queue = claim(&ports).await?;
    assert_eq!(queue.name, stored.key().to_string());
    assert_eq!(pending(&ports, &queue).await?, [stored]);
    Ok(())
}

/// A repeated call stores no notification and no event, and leaves the room queue unchanged.
pub async fn a_known_key_stores_nothing(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, with_key("k", "f")).await?;
    let queue = claim(&ports).await?;
    for fingerprint in ["f", "another"] {
        let again = replayed(&ports, with_key("k", fingerprint)).await?;
        assert_eq!(again, Some((first.clone(), "f".to_owned())), "the first fingerprint is returned");
    }
    assert_eq!(ports.feed.span().await?.head, Position(1));
    assert_eq!(pending(&ports, &queue).await?, [first]);
    Ok(())
}

/// A repeated call returns the notification as it is now, not as it was accepted.
pub async fn a_repeated_call_returns_the_present_state(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, with_key("k", "f")).await?;
    ports.outbox.sent(&[delivered(first.id, "$1")]).await?;
    let (again, _) = replayed(&ports, with_key("k", "f")).await?.expect("known");
    assert_eq!((again.id, again.status, again.room), (first.id, Status::Sent, Some(room("!1"))));
    assert_eq!(again.event, Some(EventId::new("$1")));
    Ok(())
}

/// A repeated call learns for how long the first may still be delivering.
pub async fn a_repeated_call_learns_that_the_first_is_in_flight(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let wait = Duration::from_mins(1);
    let mut patient = with_key("k", "f");
    patient.options.wait = wait;
    let (first, _) = accept(&ports, patient.clone()).await?;
    let (again, _) = replayed(&ports, patient.clone()).await?.expect("known");
    let left = again.in_flight.expect("the first call is in flight");
    assert!(left > wait / 2 && left < wait * 2, "{left:?}");
    ports.outbox.sent(&[delivered(first.id, "$1")]).await?;
    let (again, _) = replayed(&ports, patient).await?.expect("known");
    assert_eq!(again.in_flight, None, "the call was answered once the notification was sent");
    Ok(())
}

/// A key belongs to one token and one tenant, and is compared exactly.
pub async fn a_key_belongs_to_one_token_and_tenant(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let of = |token: &str, tenant: TenantId, key: &str| {
        let satellite = Satellite { token: token.to_owned(), tenant };
        NewNotification { satellite, ..with_key(key, "f") }
    };
    let calls = [
        of("legacy", TENANT, "k"),
        of("other", TENANT, "k"),
        of("legacy", OTHER_TENANT, "k"),
        of("legacy", TENANT, "K"),
        of("legacy", TENANT, "k "),
        of("legacy", TENANT, ""),
        of("legac", TENANT, "yk"),
    ];
    for call in calls {
        assert_eq!(replayed(&ports, call.clone()).await?, None);
        assert!(replayed(&ports, call).await?.is_some());
    }
    Ok(())
}

/// Calls without a key are never taken for repeated calls.
pub async fn calls_without_a_key_are_all_new(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, new_notification(draft("same"))).await?;
    let (second, _) = accept(&ports, new_notification(draft("same"))).await?;
    assert_ne!(first.id, second.id);
    Ok(())
}

/// Of many concurrent calls with one key, one stores a notification and the others return it.
pub async fn concurrent_calls_with_one_key_store_once(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let results = concurrently(50, |_| {
        let ports = ports.clone();
        async move {
            Ok(match ports.notifications.accept(with_key("k", "f")).await? {
                AcceptOutcome::New { notification, .. } => (true, notification.id),
                AcceptOutcome::Replayed { notification, .. } => (false, notification.id),
            })
        }
    })
    .await?;
    assert_eq!(results.iter().filter(|(new, _)| *new).count(), 1);
    assert!(results.iter().all(|(_, id)| *id == results[0].1));
    assert_eq!(ports.feed.span().await?.head, Position(1));
    Ok(())
}

/// Concurrent notifications are all stored, each with its event and in its room queue.
pub async fn concurrent_notifications_are_all_stored(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let accepted = concurrently(200, |n| {
        let ports = ports.clone();
        async move {
            accept(&ports, new_notification(machine(i64::try_from(n % 5).unwrap(), &n.to_string()))).await
        }
    })
    .await?;
    let mut published: Vec<_> =
        ports.feed.next(Position(0), 500).await?.iter().filter_map(|event| event.notification).collect();
    published.sort();
    let mut ids: Vec<_> = accepted.iter().map(|(stored, _)| stored.id).collect();
    ids.sort();
    assert_eq!(published, ids);
    let mut queues = 0;
    let mut waiting = 0;
    while let Some(queue) = ports.outbox.claim(LONG).await? {
        queues += 1;
        waiting += pending(&ports, &queue).await?.len();
    }
    assert_eq!((queues, waiting), (5, 200));
    Ok(())
}

/// A notification that the store cannot keep does not fail the others of its batch.
pub async fn an_invalid_notification_fails_alone(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let stored = concurrently(40, |n| {
        let ports = ports.clone();
        async move {
            let title = if n == 20 { "nul \0".to_owned() } else { n.to_string() };
            Ok((n, ports.notifications.accept(new_notification(draft(&title))).await.is_ok()))
        }
    })
    .await?;
    assert!(stored.iter().all(|(n, stored)| *stored || *n == 20), "{stored:?}");
    let queue = claim(&ports).await?;
    let pending = pending(&ports, &queue).await?;
    assert!(titles(&pending).len() >= 39);
    Ok(())
}

/// Tokens and idempotency keys may contain any characters.
pub async fn tokens_and_keys_may_be_any_text(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let token = "ms_1_'; -- \"\\ ü".to_owned();
    let idempotency = Some(Idempotency { key: "🏭".repeat(255), fingerprint: "f".repeat(64) });
    let mut call =
        NewNotification { satellite: Satellite { token, ..satellite() }, ..new_notification(draft("x")) };
    call.options.idempotency = idempotency;
    accept(&ports, call.clone()).await?;
    assert!(replayed(&ports, call).await?.is_some());
    Ok(())
}
