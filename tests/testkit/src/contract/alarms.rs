//! Alarms: their inputs, changes, deadlines and journals.

use jiff::Timestamp;
use messenger_core::{
    Result,
    alarm::{
        AckRule, Action, AlarmCursor, AlarmKey, AlarmQuery, Expected, Input, InputSource, JournalCause,
        JournalEntry, JournalQuery, State, StateFilter, Trigger, step,
    },
    event::Audience,
    id::{AlarmId, NotificationId, Position, TenantId},
    notification::{Draft, EntityId, Priority},
    port::{AlarmChange, Alarms, LoadedAlarm},
    search::SearchTerms,
};

use super::{AlarmStore, LONG, SHORT, concurrently};
use crate::fixtures::{OTHER_TENANT, TENANT, all_of, dm, draft, event, machine, user};

fn key(dedup_key: &str) -> AlarmKey {
    AlarmKey { tenant: TENANT, source_app: "inventory".to_owned(), dedup_key: dedup_key.to_owned() }
}

fn of_tenant(tenant: TenantId, dedup_key: &str) -> AlarmKey {
    AlarmKey { tenant, ..key(dedup_key) }
}

/// A query for all alarms.
fn all() -> AlarmQuery {
    AlarmQuery { limit: 10, ..AlarmQuery::default() }
}

/// An input of a satellite. The store assigns its id and time.
fn input(action: Action) -> Input {
    Input {
        id: None,
        received_at: Timestamp::UNIX_EPOCH,
        source: InputSource::Satellite(NotificationId(1)),
        action,
        occurred_at: None,
        expected: Expected::default(),
        comment: None,
    }
}

fn trigger(draft: Draft) -> Input {
    let ack = AckRule { is_required: true, expires_after: None };
    input(Action::Trigger(Trigger { draft, ack, resolve_after: Some(SHORT * 8) }))
}

/// Returns the change of an alarm by its waiting inputs, with one live event.
fn stepped(loaded: &LoadedAlarm) -> AlarmChange {
    let change = step(&loaded.alarm, &loaded.inputs, loaded.now);
    let title = loaded.alarm.key.dedup_key.as_str();
    AlarmChange { change, events: vec![event(Audience::Tenant(TENANT), title)] }
}

async fn load(alarms: &dyn Alarms, key: &AlarmKey) -> Result<LoadedAlarm> {
    Ok(alarms.load(std::slice::from_ref(key)).await?.remove(0))
}

/// Steps an alarm until its change is stored.
pub(super) async fn process(alarms: &dyn Alarms, key: &AlarmKey) -> Result<LoadedAlarm> {
    loop {
        let change = stepped(&load(alarms, key).await?);
        if alarms.apply(&[change]).await?.is_empty() {
            return load(alarms, key).await;
        }
    }
}

async fn triggered(store: &dyn AlarmStore, key: &AlarmKey) -> Result<LoadedAlarm> {
    store.receive(key, trigger(draft("Öldruck"))).await?;
    process(store.alarms().as_ref(), key).await
}

/// A change is stored with its journal and live events, and consumes its inputs.
pub async fn a_change_is_stored_as_a_whole(store: &dyn AlarmStore) -> Result<()> {
    let (alarms, key) = (store.alarms(), key("press-7"));
    store.receive(&key, trigger(draft("Öldruck"))).await?;
    store.receive(&key, input(Action::Acknowledge)).await?;
    let loaded = load(alarms.as_ref(), &key).await?;
    assert_eq!((loaded.alarm.revision, loaded.alarm.state()), (0, State::Normal));
    assert_eq!(
        loaded.inputs.iter().map(|input| input.action.kind().as_str()).collect::<Vec<_>>(),
        ["trigger", "acknowledge"]
    );
    let stored = stepped(&loaded);
    assert_eq!(alarms.apply(std::slice::from_ref(&stored)).await?, []);
    let found = alarms.find(TENANT, loaded.alarm.id).await?;
    assert_eq!(found.as_ref(), Some(&stored.change.alarm));
    let newest_first: Vec<_> = stored.change.journal.iter().rev().cloned().collect();
    assert_eq!(journal(store, loaded.alarm.id).await?, newest_first);
    let events = store.ports().feed.after(Position(0), &all_of(&[Audience::Tenant(TENANT)]), 10).await?;
    assert_eq!(events.len(), 1);
    let again = load(alarms.as_ref(), &key).await?;
    assert_eq!((Some(again.alarm), again.inputs), (found, vec![]));
    Ok(())
}

/// A stale change stores nothing, consumes nothing, and does not prevent the others.
pub async fn a_stale_change_stores_nothing(store: &dyn AlarmStore) -> Result<()> {
    let (alarms, one, other) = (store.alarms(), key("press-7"), key("press-8"));
    store.receive(&one, trigger(draft("Öldruck"))).await?;
    let stale = stepped(&load(alarms.as_ref(), &one).await?);
    let current = process(alarms.as_ref(), &one).await?;
    store.receive(&one, input(Action::Resolve)).await?;
    store.receive(&other, trigger(draft("Öldruck"))).await?;
    let new = stepped(&load(alarms.as_ref(), &other).await?);
    assert_eq!(alarms.apply(&[stale.clone(), new]).await?, std::slice::from_ref(&one));
    let loaded = load(alarms.as_ref(), &one).await?;
    assert_eq!((&loaded.alarm, loaded.inputs.len()), (&current.alarm, 1));
    assert_eq!(journal(store, current.alarm.id).await?.len(), 1);
    assert_eq!(load(alarms.as_ref(), &other).await?.alarm.state(), State::ActiveUnack);
    let events = store.ports().feed.after(Position(0), &all_of(&[Audience::Tenant(TENANT)]), 10).await?;
    assert_eq!(events.len(), 2, "those of the stored changes");
    assert_eq!(alarms.apply(&[stale]).await?, [one], "it stays stale");
    Ok(())
}

/// Each input counts once, although many workers step the alarm at the same time.
pub async fn concurrent_steps_count_each_input_once(store: &dyn AlarmStore) -> Result<()> {
    let (alarms, key) = (store.alarms(), key("press-7"));
    for _ in 0..5 {
        store.receive(&key, trigger(draft("Öldruck"))).await?;
    }
    concurrently(8, |_| {
        let (alarms, key) = (alarms.clone(), key.clone());
        async move { process(alarms.as_ref(), &key).await }
    })
    .await?;
    let loaded = load(alarms.as_ref(), &key).await?;
    assert_eq!(loaded.alarm.episode.map(|episode| episode.occurrences), Some(5));
    let journal = journal(store, loaded.alarm.id).await?;
    let inputs = journal.iter().filter(|entry| matches!(entry.cause, JournalCause::Input { .. }));
    assert_eq!((inputs.count(), loaded.inputs.len()), (5, 0));
    Ok(())
}

/// An alarm is claimed at its next time, by one worker, until a change is stored.
pub async fn an_alarm_is_claimed_when_its_next_step_is_due(store: &dyn AlarmStore) -> Result<()> {
    let (alarms, key) = (store.alarms(), key("press-7"));
    triggered(store, &key).await?;
    assert_eq!(alarms.claim_due(LONG, 10).await?, []);
    store.pass(SHORT * 9).await;
    let claims = concurrently(4, |_| {
        let alarms = alarms.clone();
        async move { alarms.claim_due(LONG, 10).await }
    });
    assert_eq!(claims.await?.concat(), std::slice::from_ref(&key));
    let timed_out = process(alarms.as_ref(), &key).await?;
    assert_eq!(timed_out.alarm.state(), State::RtnUnack);
    assert_eq!(alarms.claim_due(LONG, 10).await?, [], "the next deadline is in a day");
    Ok(())
}

/// An input that nobody has applied is claimed after a second, and again when the lease has ended.
pub async fn a_waiting_input_is_claimed_after_a_second(store: &dyn AlarmStore) -> Result<()> {
    let (alarms, key) = (store.alarms(), key("press-7"));
    store.receive(&key, trigger(draft("Öldruck"))).await?;
    assert_eq!(alarms.claim_due(SHORT, 10).await?, [], "it is left to the call that stored it");
    store.pass(SHORT * 5).await;
    assert_eq!(alarms.claim_due(SHORT, 10).await?, std::slice::from_ref(&key));
    assert_eq!(alarms.claim_due(SHORT, 10).await?, []);
    store.pass(SHORT * 2).await;
    assert_eq!(alarms.claim_due(LONG, 10).await?, std::slice::from_ref(&key));
    process(alarms.as_ref(), &key).await?;
    assert_eq!(alarms.claim_due(LONG, 10).await?, []);
    Ok(())
}

/// An alarm, its journal and its key belong to one tenant.
pub async fn an_alarm_belongs_to_one_tenant(store: &dyn AlarmStore) -> Result<()> {
    let alarms = store.alarms();
    let own = triggered(store, &key("press-7")).await?.alarm;
    let other = triggered(store, &of_tenant(OTHER_TENANT, "press-7")).await?.alarm;
    assert_ne!(own.id, other.id);
    assert_eq!(alarms.find(OTHER_TENANT, own.id).await?, None);
    assert_eq!(alarms.journal(OTHER_TENANT, own.id, &whole()).await?, None);
    let anna = user("anna");
    assert_eq!(alarms.list(TENANT, &anna, &all()).await?, [own]);
    assert_eq!(alarms.list(OTHER_TENANT, &anna, &all()).await?, [other]);
    Ok(())
}

/// The journal of an alarm is read page by page, newest entry first.
pub async fn a_journal_is_read_page_by_page(store: &dyn AlarmStore) -> Result<()> {
    let (alarms, key) = (store.alarms(), key("press-7"));
    for actions in [[Action::Acknowledge, Action::Comment], [Action::Unacknowledge, Action::Resolve]] {
        store.receive(&key, trigger(draft("Öldruck"))).await?;
        for action in actions {
            store.receive(&key, input(action)).await?;
        }
        process(alarms.as_ref(), &key).await?;
    }
    let id = load(alarms.as_ref(), &key).await?.alarm.id;
    let whole = journal(store, id).await?;
    assert_eq!(whole.len(), 6);
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = alarms.journal(TENANT, id, &JournalQuery { before, limit: 4 }).await?;
        let page = page.expect("the alarm is stored");
        assert!(page.entries.len() <= 4);
        pages.extend(page.entries);
        before = page.next_before;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(pages, whole);
    Ok(())
}

/// A query for a whole journal.
fn whole() -> JournalQuery {
    JournalQuery { before: None, limit: 100 }
}

/// Returns the journal of an alarm, newest entry first.
async fn journal(store: &dyn AlarmStore, id: AlarmId) -> Result<Vec<JournalEntry>> {
    let page = store.alarms().journal(TENANT, id, &whole()).await?;
    Ok(page.expect("the alarm is stored").entries)
}

/// Alarms are listed by the beginning of their newest episode, the latest first, page by page. Those to one
/// user are listed for this user only.
pub async fn alarms_are_listed_for_their_readers(store: &dyn AlarmStore) -> Result<()> {
    let alarms = store.alarms();
    let first = triggered(store, &key("1")).await?.alarm;
    store.pass(SHORT).await;
    let second = triggered(store, &key("2")).await?.alarm;
    store.pass(SHORT).await;
    store.receive(&key("3"), trigger(dm("bert", "Ihr Auftrag"))).await?;
    let private = process(alarms.as_ref(), &key("3")).await?.alarm;
    store.receive(&key("4"), input(Action::Resolve)).await?;
    process(alarms.as_ref(), &key("4")).await?;
    assert_eq!(ids(store, all()).await?, [second.id, first.id], "an alarm without an episode is left out");
    let of_bert = alarms.list(TENANT, &user("bert"), &all()).await?.into_iter().map(|alarm| alarm.id);
    assert_eq!(of_bert.collect::<Vec<_>>(), [private.id, second.id, first.id]);
    assert_eq!(ids(store, AlarmQuery { after: AlarmCursor::of(&second), ..all() }).await?, [first.id]);
    assert_eq!(ids(store, AlarmQuery { after: AlarmCursor::of(&first), ..all() }).await?, []);
    assert_eq!(ids(store, AlarmQuery { limit: 1, ..all() }).await?, [second.id]);
    Ok(())
}

/// Alarms are found by state, app, priority, entity and words.
pub async fn alarms_are_found_by_their_newest_episode(store: &dyn AlarmStore) -> Result<()> {
    let alarms = store.alarms();
    let plain = triggered(store, &key("1")).await?.alarm.id;
    let mes = AlarmKey { source_app: "mes".to_owned(), ..key("2") };
    let urgent = Draft { priority: Priority::Urgent, ..machine(7, "Spindel heiß") };
    store.receive(&mes, trigger(urgent)).await?;
    let urgent = process(alarms.as_ref(), &mes).await?.alarm.id;
    let found = |query: AlarmQuery| ids(store, query);
    assert_eq!(found(AlarmQuery { source_app: Some("mes".to_owned()), ..all() }).await?, [urgent]);
    assert_eq!(found(AlarmQuery { priority: Some(Priority::Urgent), ..all() }).await?, [urgent]);
    assert_eq!(found(AlarmQuery { priority: Some(Priority::Normal), ..all() }).await?, [plain]);
    for (id, expected) in [("7", vec![urgent]), ("8", vec![])] {
        let entity = Some(("machine".to_owned(), EntityId::parse(id)));
        assert_eq!(found(AlarmQuery { entity, ..all() }).await?, expected);
    }
    for (words, expected) in [("SPINDEL", vec![urgent]), ("öldr", vec![plain]), ("spindel öl", vec![])] {
        let text = SearchTerms::parse(words).ok();
        assert!(text.is_some());
        assert_eq!(found(AlarmQuery { text, ..all() }).await?, expected, "{words}");
    }
    store.receive(&mes, input(Action::Acknowledge)).await?;
    process(alarms.as_ref(), &mes).await?;
    assert_eq!(found(AlarmQuery { state: Some(StateFilter::Unacknowledged), ..all() }).await?, [plain]);
    store.receive(&mes, input(Action::Cancel)).await?;
    process(alarms.as_ref(), &mes).await?;
    assert_eq!(found(AlarmQuery { state: Some(StateFilter::Open), ..all() }).await?, [plain]);
    assert_eq!(found(AlarmQuery { state: Some(StateFilter::Closed), ..all() }).await?, [urgent]);
    Ok(())
}

/// An alarm is found by each of its notifications, with the episode that the notification belongs to.
pub async fn an_alarm_is_found_by_its_notifications(store: &dyn AlarmStore) -> Result<()> {
    let (alarms, key) = (store.alarms(), key("press-7"));
    let alarm = triggered(store, &key).await?.alarm.id;
    let of = async |tenant| -> Result<_> {
        let found = alarms.of_notification(tenant, NotificationId(1)).await?;
        Ok(found.map(|(alarm, episode)| (alarm.id, episode)))
    };
    assert_eq!(of(TENANT).await?, Some((alarm, 1)));
    assert_eq!(of(OTHER_TENANT).await?, None);
    assert_eq!(alarms.of_notification(TENANT, NotificationId(2)).await?, None);
    Ok(())
}

/// Returns the alarms that Anna finds.
async fn ids(store: &dyn AlarmStore, query: AlarmQuery) -> Result<Vec<AlarmId>> {
    let found = store.alarms().list(TENANT, &user("anna"), &query).await?;
    Ok(found.into_iter().map(|alarm| alarm.id).collect())
}
