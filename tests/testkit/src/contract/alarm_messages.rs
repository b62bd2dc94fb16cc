//! The messages of alarms: root messages, edits and rings in the room queues.

use std::time::Duration;

use messenger_core::{
    Result,
    alarm::{
        AckRule, Action, AlarmKey, AlarmPart, EpisodeId, Expected, Input, InputSource, NewAlarmInput,
        Operator, RingReason, State, Trigger, step,
    },
    event::{Audience, Kind, NewEvent},
    id::{EventId, NotificationId, Position, RingId},
    notification::{Draft, NewNotification, Notification, Priority, Status},
    port::{
        AlarmChange, AlarmMessageDue, Change, IngestedEvent, MessageOfAlarm, QueueRelease, RoomQueue,
        RootMessage, SentAlarmMessage,
    },
};
use serde_json::json;

use super::{
    AlarmStore, LONG, SHORT, accept,
    alarms::process,
    claim,
    messages::{message, reaction},
    pending,
};
use crate::fixtures::{
    OTHER_TENANT, TENANT, all_of, dm, draft, identity, new_notification, payload, room, user,
};

/// The time after a message until an edit shows details.
const PAUSE: Duration = Duration::from_secs(10);

fn key() -> AlarmKey {
    AlarmKey { tenant: TENANT, source_app: "inventory".to_owned(), dedup_key: "press-7".to_owned() }
}

/// Accepts a notification as an input of the alarm.
async fn send(store: &dyn AlarmStore, draft: Draft, action: Action) -> Result<Notification> {
    let alarm = Some(NewAlarmInput { dedup_key: Some(key().dedup_key), action, occurred_at: None });
    Ok(accept(&store.ports(), NewNotification { alarm, ..new_notification(draft) }).await?.0)
}

/// Accepts a trigger, and applies it.
async fn trigger(store: &dyn AlarmStore, draft: Draft) -> Result<Notification> {
    let ack = AckRule { is_required: true, expires_after: None };
    let action = Action::Trigger(Trigger { draft: draft.clone(), ack, resolve_after: None });
    let notification = send(store, draft, action).await?;
    process(store.alarms().as_ref(), &key()).await?;
    Ok(notification)
}

/// Applies an action of an operator.
async fn act(store: &dyn AlarmStore, action: Action) -> Result<()> {
    let operator = Operator { id: user("anna"), display_name: "Anna".to_owned() };
    let loaded = store.alarms().load(&[key()]).await?.remove(0);
    let (source, received_at) = (InputSource::Api(operator), loaded.now);
    let (occurred_at, expected, comment) = (None, Expected::default(), None);
    let input = Input { id: None, received_at, source, action, occurred_at, expected, comment };
    let change = step(&loaded.alarm, &[input], loaded.now);
    let stale = store.alarms().apply(&[AlarmChange { change, events: Vec::new() }]).await?;
    assert_eq!(stale, []);
    Ok(())
}

async fn due(store: &dyn AlarmStore, queue: &RoomQueue) -> Result<Vec<AlarmMessageDue>> {
    store.ports().alarm_outbox.due_messages(queue, 10).await
}

/// Sends the one message that is due, a root message or an edit, as this event.
async fn send_due(store: &dyn AlarmStore, queue: &RoomQueue, event: &str) -> Result<SentAlarmMessage> {
    let message = due(store, queue).await?.remove(0);
    assert_eq!(message.ring, None);
    let (alarm, episode, ports) = (message.alarm, message.episode.number, store.ports());
    let sent = if let Some(root) = message.root {
        let edit = Some(EventId::new(event));
        SentAlarmMessage { alarm, episode, revision: message.revision, root, edit }
    } else {
        let attempt = ports.alarm_outbox.begin_root(&message, &room("!1")).await?;
        let root = RootMessage { number: attempt.number, room: room("!1"), event: EventId::new(event) };
        SentAlarmMessage { alarm, episode, revision: attempt.revision, root, edit: None }
    };
    assert!(ports.alarm_outbox.message_sent(&sent).await?);
    Ok(sent)
}

async fn status(store: &dyn AlarmStore, id: NotificationId) -> Result<(Status, Option<EventId>)> {
    let stored = store.ports().notifications.find(TENANT, id).await?.expect("the notification is stored");
    Ok((stored.status, stored.event))
}

async fn release(store: &dyn AlarmStore, queue: &RoomQueue) -> Result<()> {
    store.ports().outbox.release(queue, QueueRelease::Drained).await
}

/// The root message is due at once, and sends the notifications of all inputs that it shows.
pub async fn a_root_message_tells_all_inputs_until_then(store: &dyn AlarmStore) -> Result<()> {
    let first = trigger(store, draft("Öldruck")).await?;
    assert_eq!((first.status, first.announced, first.in_flight), (Status::Pending, false, None));
    let second = trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    assert!(queue.has_alarms);
    assert_eq!(pending(&store.ports(), &queue).await?, [], "an input is no entry of the room queue");
    let message = due(store, &queue).await?.remove(0);
    assert_eq!((message.episode.occurrences, message.root, message.ring), (2, None, None));
    assert_eq!(status(store, first.id).await?, (Status::Pending, None));
    let sent = send_due(store, &queue, "$root").await?;
    for id in [first.id, second.id] {
        assert_eq!(status(store, id).await?, (Status::Sent, Some(EventId::new("$root"))));
    }
    assert_eq!(due(store, &queue).await?, []);
    let of = store.ports().alarm_outbox.alarm_of(&room("!1"), &EventId::new("$root")).await?;
    let newest = |alarm| MessageOfAlarm { of: EpisodeId { alarm, episode: 1 }, is_newest: true };
    assert_eq!(of, Some(newest(sent.alarm)));
    assert_eq!(store.ports().alarm_outbox.alarm_of(&room("!2"), &EventId::new("$root")).await?, None);
    release(store, &queue).await?;
    assert_eq!(store.ports().outbox.claim(LONG).await?, None);
    Ok(())
}

/// A repeated root message shows the revision of its first attempt, so an edit follows.
pub async fn a_repeated_root_message_tells_its_first_revision(store: &dyn AlarmStore) -> Result<()> {
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    let message = due(store, &queue).await?.remove(0);
    let attempt = store.ports().alarm_outbox.begin_root(&message, &room("!1")).await?;
    assert_eq!((attempt.number, attempt.revision), (1, message.revision));
    act(store, Action::Acknowledge).await?;
    let sent = send_due(store, &queue, "$root").await?;
    assert_eq!(sent.revision, message.revision, "the homeserver keeps the first content");
    let edit = due(store, &queue).await?.remove(0);
    assert_eq!((edit.episode.state, edit.root), (State::ActiveAck, Some(sent.root)));
    send_due(store, &queue, "$edit").await?;
    assert_eq!(due(store, &queue).await?, []);
    Ok(())
}

/// In another room than that of its first attempt, a root message is another one.
pub async fn a_root_message_in_another_room_is_another_one(store: &dyn AlarmStore) -> Result<()> {
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    let message = due(store, &queue).await?.remove(0);
    let outbox = store.ports().alarm_outbox;
    assert_eq!(outbox.begin_root(&message, &room("!1")).await?.number, 1);
    assert_eq!(outbox.begin_root(&message, &room("!1")).await?.number, 1);
    assert_eq!(outbox.begin_root(&message, &room("!2")).await?.number, 2);
    Ok(())
}

/// A new state is shown at once, a counter ten seconds after the last message.
pub async fn a_state_is_shown_at_once_and_a_counter_later(store: &dyn AlarmStore) -> Result<()> {
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    send_due(store, &queue, "$root").await?;
    act(store, Action::Acknowledge).await?;
    assert_eq!(due(store, &queue).await?.len(), 1);
    send_due(store, &queue, "$edit1").await?;
    let counted = trigger(store, draft("Öldruck")).await?;
    trigger(store, draft("Öldruck")).await?;
    assert_eq!(due(store, &queue).await?, []);
    release(store, &queue).await?;
    let queue = claim(&store.ports()).await?;
    release(store, &queue).await?;
    assert_eq!(store.ports().outbox.claim(LONG).await?, None, "the room queue is due with the edit");
    store.pass(PAUSE + SHORT).await;
    let queue = claim(&store.ports()).await?;
    assert_eq!(due(store, &queue).await?.remove(0).episode.occurrences, 3);
    assert_eq!(status(store, counted.id).await?, (Status::Pending, None));
    send_due(store, &queue, "$edit2").await?;
    assert_eq!(status(store, counted.id).await?, (Status::Sent, Some(EventId::new("$root"))));
    Ok(())
}

/// After the redaction of a root message, the next change of the episode gets another one.
pub async fn a_redacted_root_message_gets_a_successor(store: &dyn AlarmStore) -> Result<()> {
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    send_due(store, &queue, "$root").await?;
    let redaction = IngestedEvent {
        event_id: EventId::new("$redaction"),
        tenant: TENANT,
        room: room("!1"),
        sender: messenger_core::id::MatrixUserId::new("@anna:hub.local"),
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        change: Change::Redacted { of: EventId::new("$root") },
        payload: None,
        alarm: None,
    };
    store.ports().messages.ingest(&[redaction]).await?;
    assert_eq!(due(store, &queue).await?, []);
    act(store, Action::Acknowledge).await?;
    let sent = send_due(store, &queue, "$root2").await?;
    assert_eq!((sent.root.number, sent.edit), (2, None));
    act(store, Action::Resolve).await?;
    let edit = send_due(store, &queue, "$edit").await?;
    assert_eq!((edit.root.event, edit.edit), (EventId::new("$root2"), Some(EventId::new("$edit"))));
    Ok(())
}

/// Raises the priority of the alarm, and returns the ring.
async fn raise(store: &dyn AlarmStore, queue: &RoomQueue) -> Result<RingId> {
    trigger(store, Draft { priority: Priority::Urgent, ..draft("Öldruck") }).await?;
    let rings = due(store, queue).await?.into_iter().filter_map(|message| message.ring);
    let rings: Vec<_> = rings.collect();
    let [(ring, RingReason::PriorityRaised)] = rings[..] else { panic!("{rings:?}") };
    Ok(ring)
}

/// A ring begins before an acknowledgement is stored, or never.
pub async fn a_ring_begins_before_an_acknowledgement_or_never(store: &dyn AlarmStore) -> Result<()> {
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    send_due(store, &queue, "$root").await?;
    let ring = raise(store, &queue).await?;
    let outbox = store.ports().alarm_outbox;
    assert!(outbox.begin_ring(ring).await?);
    assert!(outbox.begin_ring(ring).await?, "the attempt is repeated after a crash");
    act(store, Action::Acknowledge).await?;
    assert!(!outbox.begin_ring(ring).await?);
    assert_eq!(due(store, &queue).await?.len(), 1, "only the edit is left");
    Ok(())
}

/// A sent ring belongs to its alarm, and is due no more.
pub async fn a_sent_ring_is_a_message_of_its_alarm(store: &dyn AlarmStore) -> Result<()> {
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    let root = send_due(store, &queue, "$root").await?;
    let ring = raise(store, &queue).await?;
    let outbox = store.ports().alarm_outbox;
    assert!(outbox.begin_ring(ring).await?);
    outbox.rung(ring, &room("!1"), Some(&EventId::new("$ring"))).await?;
    assert_eq!(
        outbox.alarm_of(&room("!1"), &EventId::new("$ring")).await?,
        Some(MessageOfAlarm { of: EpisodeId { alarm: root.alarm, episode: 1 }, is_newest: true })
    );
    assert_eq!(due(store, &queue).await?.into_iter().filter(|message| message.ring.is_some()).count(), 0);
    assert!(!outbox.begin_ring(ring).await?);
    Ok(())
}

/// The root message is the ring of all changes before its first attempt.
pub async fn a_root_message_rings_for_earlier_changes(store: &dyn AlarmStore) -> Result<()> {
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    let ring = raise(store, &queue).await?;
    send_due(store, &queue, "$root").await?;
    assert!(!store.ports().alarm_outbox.begin_ring(ring).await?);
    assert_eq!(due(store, &queue).await?, []);
    Ok(())
}

/// An input that changes nothing is ignored or done at once.
pub async fn an_input_that_changes_nothing_is_done_at_once(store: &dyn AlarmStore) -> Result<()> {
    let early = send(store, draft("Ende"), Action::Resolve).await?;
    process(store.alarms().as_ref(), &key()).await?;
    let stored = store.ports().notifications.find(TENANT, early.id).await?.expect("it is stored");
    assert_eq!((stored.status, stored.reason.as_deref()), (Status::Ignored, Some("no_open_alarm")));
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    send_due(store, &queue, "$root").await?;
    act(store, Action::Acknowledge).await?;
    send_due(store, &queue, "$edit").await?;
    let again = send(store, draft("Ja"), Action::Acknowledge).await?;
    process(store.alarms().as_ref(), &key()).await?;
    assert_eq!(status(store, again.id).await?, (Status::Sent, Some(EventId::new("$root"))));
    assert_eq!(due(store, &queue).await?, []);
    Ok(())
}

/// An input that changes nothing is done, although a message is on its way when it is applied.
pub async fn an_input_that_changes_nothing_is_done_during_a_message(store: &dyn AlarmStore) -> Result<()> {
    trigger(store, draft("Öldruck")).await?;
    act(store, Action::Acknowledge).await?;
    let queue = claim(&store.ports()).await?;
    let message = due(store, &queue).await?.remove(0);
    let attempt = store.ports().alarm_outbox.begin_root(&message, &room("!1")).await?;
    let again = send(store, draft("Ja"), Action::Acknowledge).await?;
    process(store.alarms().as_ref(), &key()).await?;
    let root = RootMessage { number: attempt.number, room: room("!1"), event: EventId::new("$root") };
    let (alarm, episode, revision) = (message.alarm, message.episode.number, attempt.revision);
    let sent = SentAlarmMessage { alarm, episode, revision, root, edit: None };
    assert!(store.ports().alarm_outbox.message_sent(&sent).await?);
    store.pass(PAUSE).await;
    send_due(store, &queue, "$edit").await?;
    assert_eq!(status(store, again.id).await?, (Status::Sent, Some(EventId::new("$root"))));
    assert_eq!(due(store, &queue).await?, []);

    act(store, Action::Unacknowledge).await?;
    act(store, Action::Acknowledge).await?;
    let once_more = send(store, draft("Ja"), Action::Acknowledge).await?;
    process(store.alarms().as_ref(), &key()).await?;
    assert_eq!(status(store, once_more.id).await?, (Status::Sent, Some(EventId::new("$root"))));
    Ok(())
}

/// A rejected message fails the notifications that it would have shown. The next change is another attempt.
pub async fn a_rejected_message_fails_its_notifications(store: &dyn AlarmStore) -> Result<()> {
    let first = trigger(store, draft("Öldruck")).await?;
    let queue = claim(&store.ports()).await?;
    let message = due(store, &queue).await?.remove(0);
    store.ports().alarm_outbox.rejected(&message, "room_encrypted", "the room is encrypted").await?;
    assert_eq!(status(store, first.id).await?, (Status::Failed, None));
    assert_eq!(due(store, &queue).await?, []);
    act(store, Action::Acknowledge).await?;
    assert_eq!(due(store, &queue).await?.remove(0).root, None);
    Ok(())
}

/// An alarm of an unknown user waits, and does not expire.
pub async fn an_alarm_of_an_unknown_user_waits(store: &dyn AlarmStore) -> Result<()> {
    let held = trigger(store, dm("bert", "Ihr Auftrag")).await?;
    assert_eq!((held.status, held.expires_at), (Status::Pending, None));
    assert_eq!(held.reason.as_deref(), Some("recipient_not_provisioned"));
    let ports = store.ports();
    let queue = claim(&ports).await?;
    ports.outbox.release(&queue, QueueRelease::UntilSignIn).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    ports.users.sign_in(&identity("bert"), "bert").await?;
    let queue = claim(&ports).await?;
    assert_eq!(due(store, &queue).await?.len(), 1);
    Ok(())
}

/// A later notification waits for a root message that is not sent yet.
pub async fn a_notification_does_not_overtake_a_root_message(store: &dyn AlarmStore) -> Result<()> {
    let ports = store.ports();
    trigger(store, draft("Öldruck")).await?;
    let (_, state) = accept(&ports, new_notification(draft("Schicht"))).await?;
    assert_eq!(state, messenger_core::notification::QueueState::Queued);
    let queue = claim(&ports).await?;
    let later = pending(&ports, &queue).await?.remove(0);
    assert!(due(store, &queue).await?.remove(0).place < later.id);
    Ok(())
}

/// A room queue that backs off is due later.
pub async fn a_failed_message_postpones_its_room_queue(store: &dyn AlarmStore) -> Result<()> {
    let ports = store.ports();
    trigger(store, draft("Öldruck")).await?;
    let queue = claim(&ports).await?;
    ports.alarm_outbox.back_off(&queue, Some(SHORT)).await?;
    assert_eq!(ports.outbox.claim(LONG).await?, None);
    assert!(ports.maintenance.is_backing_off().await?);
    store.pass(SHORT * 2).await;
    assert_eq!(due(store, &claim(&ports).await?).await?.len(), 1);
    Ok(())
}

/// An act of an operator in a room, as ingested.
fn acted(event: &str, by: &str, action: Action, part: EpisodeId, source: &str) -> IngestedEvent {
    let operator = Operator { id: user(by), display_name: by.to_owned() };
    let source = InputSource::Matrix { operator, event: EventId::new(source) };
    let expected = Expected { episode: Some(part.episode), revision: None };
    let (id, received_at, occurred_at, comment) = (None, jiff::Timestamp::UNIX_EPOCH, None, None);
    let input = Input { id, received_at, source, action, occurred_at, expected, comment };
    IngestedEvent {
        alarm: Some(AlarmPart::Input(part.alarm, Box::new(input))),
        ..reaction(event, "$root", by, "✅")
    }
}

/// Sends the root message of a new alarm.
async fn begun(store: &dyn AlarmStore, draft: Draft) -> Result<EpisodeId> {
    trigger(store, draft).await?;
    let queue = claim(&store.ports()).await?;
    let sent = send_due(store, &queue, "$root").await?;
    Ok(EpisodeId { alarm: sent.alarm, episode: sent.episode })
}

/// An ingested act is an input of its alarm, once, and is due at once.
pub async fn an_ingested_act_is_an_input_of_its_alarm(store: &dyn AlarmStore) -> Result<()> {
    let (ports, alarms, of) = (store.ports(), store.alarms(), begun(store, draft("Öldruck")).await?);
    let act = acted("$r", "anna", Action::Acknowledge, of, "$r");
    ports.messages.ingest(&[act.clone(), act.clone()]).await?;
    ports.messages.ingest(&[act]).await?;
    let acknowledged_by = async |event: &str, by: &str| {
        ports.alarm_outbox.acknowledged_by(&EventId::new(event), &user(by)).await
    };
    assert_eq!(acknowledged_by("$r", "anna").await?, Some(of), "also before a change has consumed it");
    assert_eq!(alarms.claim_due(LONG, 10).await?, [key()]);
    let waiting = alarms.load(&[key()]).await?.remove(0).inputs;
    let [Input { source: InputSource::Matrix { operator, event }, .. }] = &waiting[..] else {
        panic!("{waiting:?}")
    };
    assert_eq!((&operator.id, event.as_str()), (&user("anna"), "$r"));
    let acknowledged = process(alarms.as_ref(), &key()).await?.alarm;
    assert_eq!(acknowledged.state(), State::ActiveAck);
    assert_eq!(acknowledged_by("$r", "anna").await?, Some(of));
    assert_eq!(acknowledged_by("$r", "bert").await?, None);
    assert_eq!(acknowledged_by("$root", "anna").await?, None);
    ports.messages.ingest(&[acted("$redaction", "anna", Action::Unacknowledge, of, "$r")]).await?;
    assert_eq!(process(alarms.as_ref(), &key()).await?.alarm.state(), State::ActiveUnack);
    Ok(())
}

/// An act of somebody who does not read the alarm has no effect.
pub async fn an_act_of_another_user_or_tenant_has_no_effect(store: &dyn AlarmStore) -> Result<()> {
    let ports = store.ports();
    ports.users.sign_in(&identity("bert"), "bert").await?;
    let of = begun(store, dm("bert", "Ihr Auftrag")).await?;
    let foreign = acted("$1", "bert", Action::Acknowledge, of, "$1");
    let foreign = IngestedEvent { tenant: OTHER_TENANT, ..foreign };
    let other = acted("$2", "anna", Action::Acknowledge, of, "$2");
    ports.messages.ingest(&[foreign, other]).await?;
    assert_eq!(store.alarms().load(&[key()]).await?.remove(0).inputs, []);
    ports.messages.ingest(&[acted("$3", "bert", Action::Acknowledge, of, "$3")]).await?;
    assert_eq!(store.alarms().load(&[key()]).await?.remove(0).inputs.len(), 1);
    Ok(())
}

/// A message of an alarm is known from its room, if the process that sent it did not store it.
pub async fn a_message_of_an_alarm_is_known_from_its_room(store: &dyn AlarmStore) -> Result<()> {
    let (ports, of) = (store.ports(), begun(store, draft("Öldruck")).await?);
    let ring = IngestedEvent { alarm: Some(AlarmPart::Message(of)), ..message("$ring") };
    let foreign =
        IngestedEvent { tenant: OTHER_TENANT, alarm: Some(AlarmPart::Message(of)), ..message("$foreign") };
    ports.messages.ingest(&[ring, foreign]).await?;
    let known = ports.alarm_outbox.alarm_of(&room("!1"), &EventId::new("$ring")).await?;
    assert_eq!(known, Some(MessageOfAlarm { of, is_newest: true }));
    assert_eq!(ports.alarm_outbox.alarm_of(&room("!1"), &EventId::new("$foreign")).await?, None);
    Ok(())
}

/// The notification of a live event is published as sent once its message is sent, others are not.
pub async fn only_an_announced_notification_is_published_as_sent(store: &dyn AlarmStore) -> Result<()> {
    let (ports, alarms) = (store.ports(), store.alarms());
    let ack = AckRule { is_required: true, expires_after: None };
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let draft = draft("Öldruck");
        let action = Action::Trigger(Trigger { draft: draft.clone(), ack, resolve_after: None });
        accepted.push(send(store, draft, action).await?);
    }
    let loaded = alarms.load(&[key()]).await?.remove(0);
    let change = step(&loaded.alarm, &loaded.inputs, loaded.now);
    let announced = NewEvent {
        audience: Audience::Tenant(TENANT),
        kind: Kind::Notification,
        room: None,
        payload: payload(&json!({ "title": "Öldruck" })),
        key: None,
    };
    assert_eq!(alarms.apply(&[AlarmChange { change, events: vec![announced] }]).await?, []);
    let queue = claim(&ports).await?;
    send_due(store, &queue, "$root").await?;
    let events = ports.feed.after(Position(0), &all_of(&[Audience::Tenant(TENANT)]), 10).await?;
    let [event, sent] = &events[..] else { panic!("{events:?}") };
    let first = &accepted[0];
    assert_eq!((event.kind, event.notification), (Kind::Notification, Some(first.id)));
    assert_eq!(event.notification_created_at, Some(first.created_at));
    assert_eq!((sent.kind, sent.notification), (Kind::NotificationSent, Some(first.id)));
    for notification in accepted {
        assert_eq!(status(store, notification.id).await?, (Status::Sent, Some(EventId::new("$root"))));
    }
    Ok(())
}

/// The backlog counts the messages of alarms that are due, and those of unknown users apart.
pub async fn the_backlog_counts_due_messages(store: &dyn AlarmStore) -> Result<()> {
    let ports = store.ports();
    let backlog = async || -> Result<_> {
        let backlog = ports.maintenance.backlog().await?;
        Ok((backlog.queued, backlog.held, backlog.queues, backlog.oldest_pending.is_some()))
    };
    trigger(store, dm("bert", "Ihr Auftrag")).await?;
    assert_eq!(backlog().await?, (0, 1, 0, false));
    ports.users.sign_in(&identity("bert"), "bert").await?;
    assert_eq!(backlog().await?, (1, 0, 1, true));
    let queue = claim(&ports).await?;
    send_due(store, &queue, "$root").await?;
    assert_eq!(backlog().await?, (0, 0, 0, false));
    Ok(())
}
