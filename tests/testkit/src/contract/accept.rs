//! Accepting a notification: all of it or nothing, and once for each retry key.

use std::time::Duration;

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind},
    id::{EventId, NotificationId, Position, TenantId},
    notification::{
        AcceptOutcome, Draft, EntityId, Idempotency, NewNotification, Notification, Priority, Satellite,
        Status, Target,
    },
};

use super::{LONG, Store, accept, claim, pending, together};
use crate::fixtures::{
    OTHER_TENANT, TENANT, delivered, dm, draft, entry, identity, machine, retried, room, satellite, titles,
    user, waiting,
};

/// The notification of the first call, if this one repeats it.
async fn replayed(ports: &Ports, entry: NewNotification) -> Result<Option<(Notification, String)>> {
    Ok(match ports.notifications.accept(entry).await? {
        AcceptOutcome::New { .. } => None,
        AcceptOutcome::Replayed { notification, fingerprint } => Some((*notification, fingerprint)),
    })
}

fn with_key(key: &str, fingerprint: &str) -> NewNotification {
    NewNotification { options: retried(key, fingerprint), ..entry(draft("retried")) }
}

/// What is stored is what was said, whatever the target.
pub async fn a_notification_is_stored_as_it_was_said(store: &dyn Store) -> Result<()> {
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
        let said = Draft {
            title: "Größe \"5\" '; -- \u{1} 🏭".to_owned(),
            body: (n % 2 == 0).then(|| "a\nb\\".to_owned()),
            priority: if n % 2 == 0 { Priority::Urgent } else { Priority::Normal },
            target,
            ..draft("")
        };
        let known = (n % 2 == 1).then(|| room("!known"));
        let (stored, _) =
            accept(&ports, NewNotification { room: known.clone(), ..entry(said.clone()) }).await?;
        assert_eq!(stored.draft, said);
        assert_eq!((stored.tenant, stored.status, stored.room.clone()), (TENANT, Status::Pending, known));
        assert_eq!((stored.reason.clone(), stored.event.clone(), stored.expires_at), (None, None, None));
        assert_eq!((stored.attempts, stored.next_attempt_at, stored.announced), (0, None, true));
        assert_eq!(ports.notifications.find(TENANT, stored.id).await?, Some(stored));
    }
    Ok(())
}

/// Ids grow with each notification.
pub async fn ids_grow(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let mut last = NotificationId(0);
    for _ in 0..5 {
        let (stored, _) = accept(&ports, entry(draft("x"))).await?;
        assert!(stored.id > last);
        last = stored.id;
    }
    Ok(())
}

/// The live event stands in the log when accept returns, for the audience of the target.
pub async fn the_live_event_is_there_at_once(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    let drafts =
        [draft("a"), machine(7, "b"), Draft { target: Target::Service, ..draft("c") }, dm("anna", "d")];
    for (n, draft) in drafts.into_iter().enumerate() {
        let entry = NewNotification { options: waiting(LONG), ..entry(draft.clone()) };
        let (stored, _) = accept(&ports, entry.clone()).await?;
        let before = Position(i64::try_from(n).unwrap());
        let events = ports.feed.next(before, 10).await?;
        let [event] = events.as_slice() else { panic!("one event, not {}", events.len()) };
        assert_eq!(event.kind, Kind::Notification);
        assert_eq!(event.audience, draft.audience(TENANT));
        assert_eq!(event.notification, Some(stored.id));
        assert_eq!(event.payload, entry.payload);
    }
    let anna = Audience::User(TENANT, user("anna"));
    assert_eq!(ports.feed.after(Position(0), &[anna], 10).await?.len(), 1);
    Ok(())
}

/// What nobody waits for is in a room queue that is due.
pub async fn the_queue_is_due_at_once_if_nobody_waits(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, entry(machine(7, "x"))).await?;
    let queue = claim(&ports).await?;
    assert_eq!(queue.name, stored.key().to_string());
    assert_eq!(pending(&ports, &queue).await?, [stored]);
    Ok(())
}

/// A known key stores nothing: no notification, no event, no place in a room queue.
pub async fn a_known_key_stores_nothing(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, with_key("k", "f")).await?;
    let queue = claim(&ports).await?;
    for fingerprint in ["f", "another"] {
        let again = replayed(&ports, with_key("k", fingerprint)).await?;
        assert_eq!(again, Some((first.clone(), "f".to_owned())), "the first fingerprint comes back");
    }
    assert_eq!(ports.feed.span().await?.head, Position(1));
    assert_eq!(pending(&ports, &queue).await?, [first]);
    Ok(())
}

/// A repeated call gets the notification as it is now, not as it was.
pub async fn a_repeated_call_gets_the_present_state(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, with_key("k", "f")).await?;
    ports.outbox.sent(&[delivered(first.id, "$1")]).await?;
    let (again, _) = replayed(&ports, with_key("k", "f")).await?.expect("known");
    assert_eq!((again.id, again.status, again.room), (first.id, Status::Sent, Some(room("!1"))));
    assert_eq!(again.event, Some(EventId::new("$1")));
    Ok(())
}

/// A repeated call is told how long the first may still be at it.
pub async fn a_repeated_call_is_told_that_the_first_is_in_flight(store: &dyn Store) -> Result<()> {
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
    assert_eq!(again.in_flight, None, "what was sent has been answered");
    Ok(())
}

/// A key is of one token and one tenant, and exact.
pub async fn a_key_is_of_one_token_and_tenant(store: &dyn Store) -> Result<()> {
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

/// Calls without a key are never the same call.
pub async fn calls_without_a_key_are_all_new(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (first, _) = accept(&ports, entry(draft("same"))).await?;
    let (second, _) = accept(&ports, entry(draft("same"))).await?;
    assert_ne!(first.id, second.id);
    Ok(())
}

/// Of many calls with one key, one stores; all others get its notification.
pub async fn many_calls_with_one_key_store_once(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let results = together(50, |_| {
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

/// Many notifications at once are all stored, each with its event and its place in its room queue.
pub async fn many_at_once_are_all_stored(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let accepted = together(200, |n| {
        let ports = ports.clone();
        async move { accept(&ports, entry(machine(i64::try_from(n % 5).unwrap(), &n.to_string()))).await }
    })
    .await?;
    let mut told: Vec<_> =
        ports.feed.next(Position(0), 500).await?.iter().filter_map(|event| event.notification).collect();
    told.sort();
    let mut ids: Vec<_> = accepted.iter().map(|(stored, _)| stored.id).collect();
    ids.sort();
    assert_eq!(told, ids);
    let mut queues = 0;
    let mut waiting = 0;
    while let Some(queue) = ports.outbox.claim(LONG).await? {
        queues += 1;
        waiting += pending(&ports, &queue).await?.len();
    }
    assert_eq!((queues, waiting), (5, 200));
    Ok(())
}

/// One entry that a store cannot keep does not take its neighbours with it.
pub async fn what_cannot_be_stored_fails_alone(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let stored = together(40, |n| {
        let ports = ports.clone();
        async move {
            let title = if n == 20 { "nul \0".to_owned() } else { n.to_string() };
            Ok((n, ports.notifications.accept(entry(draft(&title))).await.is_ok()))
        }
    })
    .await?;
    assert!(stored.iter().all(|(n, stored)| *stored || *n == 20), "{stored:?}");
    let queue = claim(&ports).await?;
    let pending = pending(&ports, &queue).await?;
    assert!(titles(&pending).len() >= 39);
    Ok(())
}

/// A token that is no word of ours is as good as any.
pub async fn tokens_and_keys_may_be_any_text(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let token = "ms_1_'; -- \"\\ ü".to_owned();
    let idempotency = Some(Idempotency { key: "🏭".repeat(255), fingerprint: "f".repeat(64) });
    let mut call = NewNotification { satellite: Satellite { token, ..satellite() }, ..entry(draft("x")) };
    call.options.idempotency = idempotency;
    accept(&ports, call.clone()).await?;
    assert!(replayed(&ports, call).await?.is_some());
    Ok(())
}
