//! The inboxes of users: the entries of each user, page by page, and their read state.

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind, Payload},
    id::{NotificationId, Position, TenantId},
    inbox::{InboxPage, InboxQuery, ReadEntries, ReadOutcome},
    notification::{Draft, EntityId, NewNotification, Notification, Priority, Satellite, Target},
    search::SearchTerms,
};
use serde_json::json;

use super::{Store, accept, claim, concurrently, pending};
use crate::fixtures::{
    OTHER_TENANT, TENANT, all_of, dm, draft, identity, machine, new_notification, payload, satellite, user,
};

const NEWEST: InboxQuery = InboxQuery {
    before: None,
    limit: 100,
    priority: None,
    source_app: None,
    entity: None,
    since: None,
    text: None,
    unread: false,
};

async fn with_users(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    for (name, tenant) in [("anna", TENANT), ("bert", TENANT), ("carl", OTHER_TENANT)] {
        sign_in(&ports, name, tenant).await?;
    }
    Ok(ports)
}

async fn sign_in(ports: &Ports, name: &str, tenant: TenantId) -> Result<()> {
    ports.users.sign_in(&messenger_core::user::Identity { tenant, ..identity(name) }, name).await.map(drop)
}

/// Stores notifications with the titles 1, 2, … for the whole tenant. Returns their ids.
async fn notifications(ports: &Ports, count: usize) -> Result<Vec<NotificationId>> {
    let mut ids = Vec::new();
    for n in 1..=count {
        ids.push(accept(ports, new_notification(draft(&n.to_string()))).await?.0.id);
    }
    Ok(ids)
}

async fn page(ports: &Ports, name: &str, query: &InboxQuery) -> Result<InboxPage> {
    Ok(ports.inbox.page(TENANT, &user(name), query).await?.expect("a user of the tenant"))
}

async fn titles_of(ports: &Ports, name: &str, query: &InboxQuery) -> Result<Vec<String>> {
    Ok(page(ports, name, query)
        .await?
        .entries
        .into_iter()
        .map(|entry| entry.notification.draft.title)
        .collect())
}

/// Returns the unread titles, newest first, after a check that the other ways to them agree.
async fn unread_of(ports: &Ports, name: &str) -> Result<Vec<String>> {
    let all = page(ports, name, &NEWEST).await?;
    let unread = all.entries.into_iter().filter(|entry| !entry.is_read);
    let unread: Vec<_> = unread.map(|entry| entry.notification.draft.title).collect();
    assert_eq!(titles_of(ports, name, &InboxQuery { unread: true, ..NEWEST }).await?, unread);
    assert_eq!(usize::try_from(all.unread_count), Ok(unread.len()));
    Ok(unread)
}

fn up_to(id: NotificationId) -> ReadEntries {
    ReadEntries { up_to: Some(id), ids: Vec::new() }
}

fn only(ids: &[NotificationId]) -> ReadEntries {
    ReadEntries { up_to: None, ids: ids.to_vec() }
}

fn marker() -> Payload {
    payload(&json!({ "up_to": 1 }))
}

/// Marks as read. Returns the number of unread ones that are left.
async fn read(ports: &Ports, name: &str, read: &ReadEntries) -> Result<i64> {
    match ports.inbox.read(TENANT, &user(name), read, &marker()).await? {
        Some(ReadOutcome::Read { unread_count }) => Ok(unread_count),
        outcome => panic!("{outcome:?}"),
    }
}

/// Returns the `inbox_read` events of a user.
async fn published(ports: &Ports, tenant: TenantId, name: &str) -> Result<Vec<Payload>> {
    let audience = all_of(&[Audience::User(tenant, user(name)), Audience::Tenant(tenant)]);
    let events = ports.feed.after(Position(0), &audience, 100).await?;
    Ok(events.into_iter().filter(|event| event.kind == Kind::InboxRead).map(|event| event.payload).collect())
}

/// A user's inbox has the notifications of which the user is the audience, as stored, newest first.
pub async fn an_inbox_has_what_its_user_is_the_audience_of(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let service = Draft { target: Target::Service, ..draft("service") };
    let drafts = [draft("all"), machine(7, "machine"), service, dm("anna", "anna"), dm("bert", "bert")];
    let mut stored: Vec<Notification> = Vec::new();
    for draft in drafts {
        stored.push(accept(&ports, new_notification(draft)).await?.0);
    }
    let foreign = Satellite { tenant: OTHER_TENANT, ..satellite() };
    accept(&ports, NewNotification { satellite: foreign, ..new_notification(draft("foreign")) }).await?;
    assert_eq!(titles_of(&ports, "anna", &NEWEST).await?, ["anna", "service", "machine", "all"]);
    assert_eq!(titles_of(&ports, "bert", &NEWEST).await?, ["bert", "service", "machine", "all"]);
    let carls = ports.inbox.page(OTHER_TENANT, &user("carl"), &NEWEST).await?.expect("a user");
    let carls: Vec<_> = carls.entries.iter().map(|entry| entry.notification.draft.title.as_str()).collect();
    assert_eq!(carls, ["foreign"]);
    let annas = page(&ports, "anna", &NEWEST).await?;
    assert_eq!((annas.next_before, annas.unread_count), (None, 4));
    for entry in annas.entries {
        let same = stored.iter().find(|one| one.id == entry.notification.id);
        assert_eq!((Some(&entry.notification), entry.is_read), (same, false));
    }
    Ok(())
}

/// A user who is not in the tenant now has no inbox there, and marks nothing.
pub async fn a_user_has_an_inbox_in_their_present_tenant_only(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let ids = notifications(&ports, 1).await?;
    sign_in(&ports, "anna", OTHER_TENANT).await?;
    for name in ["anna", "carl", "nobody"] {
        assert_eq!(ports.inbox.page(TENANT, &user(name), &NEWEST).await?, None, "{name}");
        assert_eq!(ports.inbox.read(TENANT, &user(name), &up_to(ids[0]), &marker()).await?, None, "{name}");
    }
    assert_eq!(unread_of(&ports, "bert").await?, ["1"]);
    Ok(())
}

/// Pages join without gap or repetition, also while new notifications arrive.
pub async fn pages_of_an_inbox_join(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    for n in 0..7 {
        let draft = if n % 3 == 0 { dm("anna", &n.to_string()) } else { draft(&n.to_string()) };
        accept(&ports, new_notification(draft)).await?;
        accept(&ports, new_notification(dm("bert", "not hers"))).await?;
    }
    let (mut query, mut found) = (InboxQuery { limit: 3, ..NEWEST }, Vec::new());
    loop {
        let page = page(&ports, "anna", &query).await?;
        found.extend(page.entries.into_iter().map(|entry| entry.notification.draft.title));
        accept(&ports, new_notification(draft("new"))).await?;
        query.before = page.next_before;
        if query.before.is_none() {
            break;
        }
    }
    assert_eq!(found, ["6", "5", "4", "3", "2", "1", "0"]);
    Ok(())
}

/// Each filter selects what it names, and filters can be combined.
pub async fn each_filter_of_an_inbox_selects_what_it_names(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let urgent = |draft| Draft { priority: Priority::Urgent, ..draft };
    let of = |app: &str, draft| Draft { source_app: app.to_owned(), ..draft };
    accept(&ports, new_notification(of("mes", draft("1")))).await?;
    accept(&ports, new_notification(urgent(machine(7, "2")))).await?;
    accept(&ports, new_notification(of("mes", urgent(dm("anna", "3"))))).await?;
    accept(&ports, new_notification(of("mes", dm("bert", "not hers")))).await?;
    let text =
        Target::Entity { entity_type: "machine".to_owned(), entity_id: EntityId::Text("7".to_owned()) };
    accept(&ports, new_notification(of("mes", Draft { target: text, ..draft("4") }))).await?;
    store.pass(super::SHORT).await;
    let (last, _) = accept(&ports, new_notification(machine(8, "5"))).await?;
    let entity = |id| Some(("machine".to_owned(), id));
    let mes = || Some("mes".to_owned());
    for (query, expected) in [
        (InboxQuery { priority: Some(Priority::Urgent), ..NEWEST }, vec!["3", "2"]),
        (InboxQuery { priority: Some(Priority::Normal), ..NEWEST }, vec!["5", "4", "1"]),
        (InboxQuery { source_app: mes(), ..NEWEST }, vec!["4", "3", "1"]),
        (InboxQuery { source_app: Some("MES".to_owned()), ..NEWEST }, vec![]),
        (InboxQuery { entity: entity(EntityId::Number(7)), ..NEWEST }, vec!["4", "2"]),
        (InboxQuery { entity: entity(EntityId::Text("7".to_owned())), ..NEWEST }, vec!["4", "2"]),
        (InboxQuery { entity: entity(EntityId::Number(9)), ..NEWEST }, vec![]),
        (InboxQuery { since: Some(last.created_at), ..NEWEST }, vec!["5"]),
        (InboxQuery { source_app: mes(), priority: Some(Priority::Urgent), ..NEWEST }, vec!["3"]),
        (InboxQuery { source_app: mes(), entity: entity(EntityId::Number(7)), ..NEWEST }, vec!["4"]),
        (InboxQuery { before: Some(last.id), limit: 2, ..NEWEST }, vec!["4", "3"]),
    ] {
        assert_eq!(titles_of(&ports, "anna", &query).await?, expected, "{query:?}");
    }
    Ok(())
}

/// Every word must be in the title or body, as a part of a word, in any case and spelling of umlauts.
pub async fn an_inbox_is_searched_by_parts_of_words(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let body = |title: &str, body: &str| Draft { body: Some(body.to_owned()), ..draft(title) };
    for draft in [
        body("Hauptspindel steht", "Fehlercode E-401"),
        body("KÜHLMITTEL fehlt", "an der Spindel"),
        dm("bert", "Spindel: not hers"),
        draft("Kuehlmittel 100%"),
        machine(7, "Größe"),
    ] {
        accept(&ports, new_notification(draft)).await?;
    }
    for (words, expected) in [
        ("spindel", vec!["KÜHLMITTEL fehlt", "Hauptspindel steht"]),
        ("spindel e-401", vec!["Hauptspindel steht"]),
        ("kühl", vec!["Kuehlmittel 100%", "KÜHLMITTEL fehlt"]),
        ("kuehl", vec!["Kuehlmittel 100%", "KÜHLMITTEL fehlt"]),
        ("grosse", vec!["Größe"]),
        ("0%", vec!["Kuehlmittel 100%"]),
        ("%_", vec![]),
    ] {
        let query = InboxQuery { text: SearchTerms::parse(words).ok(), ..NEWEST };
        assert_eq!(titles_of(&ports, "anna", &query).await?, expected, "{words}");
    }
    let of_machine = Some(("machine".to_owned(), EntityId::Number(7)));
    for (query, expected) in [
        (InboxQuery { entity: of_machine, ..NEWEST }, vec!["Größe"]),
        (InboxQuery { limit: 1, ..NEWEST }, vec!["Größe"]),
        (InboxQuery { priority: Some(Priority::Urgent), ..NEWEST }, vec![]),
        (InboxQuery { unread: true, ..NEWEST }, vec!["Größe"]),
    ] {
        let query = InboxQuery { text: SearchTerms::parse("größe").ok(), ..query };
        assert_eq!(titles_of(&ports, "anna", &query).await?, expected, "{query:?}");
    }
    Ok(())
}

/// Exactly the named entries are read, in any order, for this user alone.
pub async fn a_user_has_read_what_they_named(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let ids = notifications(&ports, 8).await?;
    assert_eq!(read(&ports, "anna", &only(&[ids[6], ids[3]])).await?, 6);
    assert_eq!(unread_of(&ports, "anna").await?, ["8", "6", "5", "3", "2", "1"]);
    assert_eq!(read(&ports, "anna", &up_to(ids[1])).await?, 4);
    assert_eq!(unread_of(&ports, "anna").await?, ["8", "6", "5", "3"]);
    assert_eq!(read(&ports, "anna", &ReadEntries { ids: vec![ids[7]], ..up_to(ids[2]) }).await?, 2);
    assert_eq!(unread_of(&ports, "anna").await?, ["6", "5"]);
    assert_eq!(read(&ports, "anna", &only(&ids[4..6])).await?, 0);
    assert_eq!(unread_of(&ports, "anna").await?, [""; 0]);
    accept(&ports, new_notification(draft("9"))).await?;
    assert_eq!(unread_of(&ports, "anna").await?, ["9"]);
    assert_eq!(unread_of(&ports, "bert").await?.len(), 9);
    Ok(())
}

/// A change is published to its user once; a call that changes nothing is not.
pub async fn reading_an_inbox_is_published_once(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let ids = notifications(&ports, 3).await?;
    let calls = [(up_to(ids[0]), 1), (only(&[ids[2]]), 2), (only(&ids), 3)];
    for (call, changes) in calls {
        for _ in 0..2 {
            read(&ports, "anna", &call).await?;
            assert_eq!(published(&ports, TENANT, "anna").await?, vec![marker(); changes], "{call:?}");
        }
    }
    read(&ports, "anna", &up_to(ids[1])).await?;
    assert_eq!(published(&ports, TENANT, "anna").await?.len(), 3);
    assert_eq!(published(&ports, TENANT, "bert").await?, []);
    assert_eq!(published(&ports, OTHER_TENANT, "carl").await?, []);
    Ok(())
}

/// Neither another user's notification nor one that does not exist is a mark, so no unseen one is read.
pub async fn what_is_not_in_the_inbox_cannot_be_read(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    notifications(&ports, 2).await?;
    let (others, _) = accept(&ports, new_notification(dm("bert", "not hers"))).await?;
    let foreign = Satellite { tenant: OTHER_TENANT, ..satellite() };
    let foreign = NewNotification { satellite: foreign, ..new_notification(draft("foreign")) };
    let (foreign, _) = accept(&ports, foreign).await?;
    for id in [
        others.id,
        foreign.id,
        NotificationId(foreign.id.0 + 1),
        NotificationId(i64::MAX),
        NotificationId(-1),
    ] {
        let outcome = ports.inbox.read(TENANT, &user("anna"), &up_to(id), &marker()).await?;
        assert_eq!(outcome, Some(ReadOutcome::Unknown), "{id}");
        assert_eq!(read(&ports, "anna", &only(&[id])).await?, 2);
    }
    assert_eq!(published(&ports, TENANT, "anna").await?, []);
    assert_eq!(unread_of(&ports, "bert").await?.len(), 3);
    Ok(())
}

/// Devices that mark concurrently lose nothing.
pub async fn what_several_devices_read_adds_up(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let ids = notifications(&ports, 21).await?;
    concurrently(20, |n| {
        let (ports, ids) = (ports.clone(), ids.clone());
        async move {
            let call = if n == 0 { up_to(ids[4]) } else { only(&[ids[n]]) };
            ports.inbox.read(TENANT, &user("anna"), &call, &marker()).await
        }
    })
    .await?;
    assert_eq!(unread_of(&ports, "anna").await?, ["21"]);
    Ok(())
}

/// For a user who comes to a tenant, earlier notifications are in the inbox and count as read.
pub async fn earlier_notifications_are_read_for_a_new_user(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    notifications(&ports, 2).await?;
    sign_in(&ports, "dora", TENANT).await?;
    sign_in(&ports, "carl", TENANT).await?;
    accept(&ports, new_notification(draft("3"))).await?;
    sign_in(&ports, "dora", TENANT).await?;
    for name in ["dora", "carl"] {
        assert_eq!(titles_of(&ports, name, &NEWEST).await?, ["3", "2", "1"]);
        assert_eq!(unread_of(&ports, name).await?, ["3"]);
    }
    Ok(())
}

/// A message that was held is in the inbox from its announcement on, and unread although later ones are read.
pub async fn a_held_message_is_unread_once_it_is_announced(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    accept(&ports, new_notification(dm("dora", "held"))).await?;
    let ids = notifications(&ports, 1).await?;
    sign_in(&ports, "dora", TENANT).await?;
    read(&ports, "dora", &up_to(ids[0])).await?;
    assert_eq!(titles_of(&ports, "dora", &NEWEST).await?, ["1"]);
    let queue = claim(&ports).await?;
    let held = pending(&ports, &queue).await?.into_iter().find(|one| !one.announced);
    let held = match held {
        Some(held) => held,
        // The queue of the other notification was claimed first.
        None => pending(&ports, &claim(&ports).await?).await?.remove(0),
    };
    ports.outbox.announce(&held, &payload(&json!({}))).await?;
    assert_eq!(titles_of(&ports, "dora", &NEWEST).await?, ["1", "held"]);
    assert_eq!(unread_of(&ports, "dora").await?, ["held"]);
    assert_eq!(read(&ports, "dora", &only(&[held.id])).await?, 0);
    assert_eq!(unread_of(&ports, "dora").await?, [""; 0]);
    Ok(())
}

/// Unread notifications are counted up to a thousand.
pub async fn many_unread_notifications_are_counted_up_to_a_limit(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    concurrently(1003, |_| {
        let ports = ports.clone();
        async move { accept(&ports, new_notification(draft("x"))).await }
    })
    .await?;
    let newest = page(&ports, "anna", &InboxQuery { limit: 4, ..NEWEST }).await?;
    let ids: Vec<_> = newest.entries.iter().map(|entry| entry.notification.id).collect();
    for (n, left) in [(0, 1000), (1, 1000), (2, 1000), (3, 999)] {
        assert_eq!(read(&ports, "anna", &only(&ids[n..=n])).await?, left);
    }
    assert_eq!(page(&ports, "anna", &NEWEST).await?.unread_count, 999);
    Ok(())
}
