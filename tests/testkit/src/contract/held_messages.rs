//! Direct messages to users whom the tenant does not know: held, and released by their first sign-in.

use std::time::Duration;

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind},
    id::{Position, TenantId},
    notification::{HELD_FOR, NewNotification, Notification, Status, reason},
    port::QueueRelease,
    user::Identity,
};
use serde_json::json;

use super::{LONG, Store, accept, claim, concurrently, pending};
use crate::fixtures::{
    OTHER_TENANT, TENANT, dm, draft, identity, new_notification, payload, titles, user, waiting,
};

async fn sign_in(ports: &Ports, name: &str, tenant: TenantId) -> Result<()> {
    ports.users.sign_in(&Identity { tenant, ..identity(name) }, name).await.map(|_| ())
}

async fn hold(ports: &Ports, title: &str) -> Result<Notification> {
    Ok(accept(ports, new_notification(dm("anna", title))).await?.0)
}

/// A held message names the reason and its expiry, and no caller waits for it.
pub async fn a_message_to_an_unknown_user_is_held(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (held, _) =
        accept(&ports, NewNotification { options: waiting(LONG), ..new_notification(dm("anna", "hello")) })
            .await?;
    assert_eq!(held.status, Status::Pending);
    assert_eq!(held.reason.as_deref(), Some(reason::RECIPIENT_NOT_PROVISIONED));
    assert_eq!((held.announced, held.in_flight), (false, None));
    let waits = held.expires_at.expect("it expires").duration_since(held.created_at);
    assert_eq!(Duration::try_from(waits).unwrap().as_secs(), HELD_FOR.as_secs());
    assert_eq!(ports.notifications.find(TENANT, held.id).await?, Some(held));
    Ok(())
}

/// A held message is not published, and no worker claims it.
pub async fn a_held_message_is_neither_published_nor_due(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    hold(&ports, "hello").await?;
    assert_eq!(ports.feed.next(Position(0), 10).await?, []);
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    assert!(!ports.maintenance.is_backing_off().await?, "holding is no backoff");
    ports.maintenance.retry_now().await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    Ok(())
}

/// The idempotency key of a held message is remembered.
pub async fn a_held_message_is_accepted_once(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let call = NewNotification {
        options: crate::fixtures::retried("k", "f"),
        ..new_notification(dm("anna", "hello"))
    };
    let (held, _) = accept(&ports, call.clone()).await?;
    match ports.notifications.accept(call).await? {
        messenger_core::notification::AcceptOutcome::Replayed { notification, .. } => {
            assert_eq!(*notification, held);
        }
        messenger_core::notification::AcceptOutcome::New { .. } => panic!("the key was known"),
    }
    Ok(())
}

/// The first sign-in makes all held messages due, in order and not yet announced.
pub async fn the_first_sign_in_releases_held_messages(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for title in ["1", "2", "3"] {
        hold(&ports, title).await?;
    }
    sign_in(&ports, "anna", TENANT).await?;
    let queue = claim(&ports).await?;
    let released = pending(&ports, &queue).await?;
    assert_eq!(titles(&released), ["1", "2", "3"]);
    assert!(released.iter().all(|one| !one.announced && one.in_flight.is_none()));
    Ok(())
}

/// Neither another user's sign-in nor the user's own in another tenant releases held messages.
pub async fn no_other_sign_in_releases_held_messages(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    hold(&ports, "hello").await?;
    for other in ["Anna", "anna2", "ann", "bert"] {
        sign_in(&ports, other, TENANT).await?;
        assert_eq!(ports.outbox.claim(LONG).await?, None, "{other}");
    }
    sign_in(&ports, "anna", OTHER_TENANT).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None, "the other tenant's user is another user here");
    let (again, _) = accept(&ports, new_notification(dm("anna", "still unknown"))).await?;
    assert_eq!(again.reason.as_deref(), Some(reason::RECIPIENT_NOT_PROVISIONED));
    Ok(())
}

/// A user who moves into the tenant gets the messages that are held there.
pub async fn moving_into_the_tenant_releases_held_messages(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    sign_in(&ports, "anna", OTHER_TENANT).await?;
    hold(&ports, "hello").await?;
    sign_in(&ports, "anna", TENANT).await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["hello"]);
    Ok(())
}

/// Held messages go first; later ones to the known user are not held.
pub async fn held_messages_go_before_later_ones(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    hold(&ports, "held").await?;
    sign_in(&ports, "anna", TENANT).await?;
    let (later, queue_state) =
        accept(&ports, NewNotification { options: waiting(LONG), ..new_notification(dm("anna", "later")) })
            .await?;
    assert_eq!((later.reason, later.announced, later.expires_at), (None, true, None));
    assert_eq!(queue_state, messenger_core::notification::QueueState::Queued);
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["held", "later"]);
    Ok(())
}

/// A message that races with the sign-in is released or was never held.
pub async fn a_message_never_misses_a_concurrent_sign_in(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    for round in 0..15 {
        let name = format!("user{round}");
        let identity = identity(&name);
        let signing = ports.users.sign_in(&identity, &name);
        let (sent, signed_in) = futures::future::join(
            concurrently(4, |n| {
                let (ports, name) = (ports.clone(), name.clone());
                async move { accept(&ports, new_notification(dm(&name, &n.to_string()))).await }
            }),
            signing,
        )
        .await;
        sent?;
        signed_in?;
        let queue = claim(&ports).await?;
        assert_eq!(pending(&ports, &queue).await?.len(), 4, "round {round}");
    }
    Ok(())
}

/// A room queue whose reader has moved away is due only after their next sign-in.
pub async fn a_queue_may_wait_for_a_sign_in(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    sign_in(&ports, "anna", TENANT).await?;
    accept(&ports, new_notification(dm("anna", "hello"))).await?;
    sign_in(&ports, "anna", OTHER_TENANT).await?;
    let queue = claim(&ports).await?;
    ports.outbox.release(&queue, QueueRelease::UntilSignIn).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    ports.maintenance.retry_now().await?;
    hold(&ports, "another").await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    sign_in(&ports, "anna", TENANT).await?;
    assert_eq!(titles(&pending(&ports, &claim(&ports).await?).await?), ["hello", "another"]);
    Ok(())
}

/// Announcing appends the live event for the recipient, once.
pub async fn a_held_message_is_announced_once(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    hold(&ports, "hello").await?;
    sign_in(&ports, "anna", TENANT).await?;
    let queue = claim(&ports).await?;
    let released = pending(&ports, &queue).await?.remove(0);
    let fields = payload(&json!({ "title": "hello" }));
    concurrently(10, |_| {
        let (ports, released, fields) = (ports.clone(), released.clone(), fields.clone());
        async move { ports.outbox.announce(&released, &fields).await }
    })
    .await?;
    let events = ports.feed.next(Position(0), 10).await?;
    let [event] = events.as_slice() else { panic!("one event, not {}", events.len()) };
    assert_eq!((event.kind, event.notification), (Kind::Notification, Some(released.id)));
    assert_eq!(event.notification_created_at, Some(released.created_at), "not that of the announcement");
    assert_eq!(event.audience, Audience::User(TENANT, user("anna")));
    assert_eq!(event.payload, fields);
    assert!(pending(&ports, &queue).await?[0].announced);
    let history = ports.notifications.history(TENANT, released.id).await?.expect("it is stored");
    let announced_at = history.announced_at.expect("it was held");
    assert!(announced_at >= released.created_at, "{announced_at}");
    Ok(())
}

/// A notification that was announced on acceptance is not announced again.
pub async fn an_announced_notification_is_not_announced_again(store: &dyn Store) -> Result<()> {
    let ports = store.ports();
    let (stored, _) = accept(&ports, new_notification(draft("x"))).await?;
    ports.outbox.announce(&stored, &payload(&json!({}))).await?;
    assert_eq!(ports.feed.span().await?.head, Position(1));
    let history = ports.notifications.history(TENANT, stored.id).await?.expect("it is stored");
    assert_eq!(history.announced_at, None, "it was never held");
    Ok(())
}
