//! Processes without a database: the identity and rights of a user come from the copy, and are never
//! older than the events that it shows.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Messenger, MessengerSettings, Ports, Result,
    audiences::Audiences,
    event::{Audience, Kind},
    id::{HubUserId, Position, RoomId},
    port::{
        CopiedReaders, Feed, FeedCopyPorts, Memberships, ReaderChange, ReaderChanges, ReaderCopies,
        StoredReader, Users,
    },
    user::{Identity, Role},
};
use messenger_dynamo::copied_readers;
use messenger_store::PgStore;
use messenger_testkit::{
    MemoryHomeserver, TransparentVault,
    fixtures::{OTHER_TENANT, TENANT, identity, room, user},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    fixture::{PATIENCE, RunningRelay, TestCopy},
    log::events,
};

/// Returns the ports of a process without a database.
fn alone(copy: &TestCopy) -> CopiedReaders {
    copied_readers(&copy.settings, copy.clock.clone())
}

/// Returns the engines of a process without a database.
fn service(copy: &TestCopy) -> Messenger {
    let homeserver = Arc::new(MemoryHomeserver::default());
    let ports = Ports::new(
        Arc::new(PgStore::absent()),
        homeserver.clone(),
        homeserver,
        Arc::new(TransparentVault),
        copy.clock.clone(),
    );
    let CopiedReaders { feed, users, memberships, cursors, ephemeral_bus } = alone(copy);
    let ports = Ports { feed, users, memberships, cursors, ephemeral_bus, ..ports };
    Messenger::new(&ports, MessengerSettings::default())
}

async fn sign_in(copy: &TestCopy, identity: &Identity) {
    copy.store().sign_in(identity, identity.hub_user_id.as_str()).await.expect("signed in");
}

/// Waits until the copy has everything: the events, and the rights of all users.
async fn settled(copy: &TestCopy) {
    let settling = async {
        loop {
            copy.settled().await;
            if copy.store().changed(1).await.expect("changes").changes.is_empty() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, settling).await.expect("the relay writes all users");
}

/// Returns the rooms of a user by the log: up to a position, the user was in these.
async fn rooms_by_log(copy: &TestCopy, id: &HubUserId, until: Position) -> Vec<RoomId> {
    let audience = Audiences::from_iter([(Audience::User(TENANT, id.clone()), Position(0))]);
    let mut rooms = Vec::new();
    for event in copy.store().after(Position(0), &audience, 100_000).await.expect("events") {
        if event.position > until {
            break;
        }
        match (event.kind, event.room) {
            (Kind::RoomJoined, Some(room)) => rooms.push(room),
            (Kind::RoomLeft, Some(room)) => rooms.retain(|one| *one != room),
            _ => {}
        }
    }
    rooms.sort();
    rooms
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_unknown_until_another_process_has_signed_them_in() {
    let copy = TestCopy::create().await;
    let _relay = copy.start_relay();
    copy.copied(&copy.feed(), Position(0)).await;
    let service = service(&copy);
    let sign_in_alone = async || service.users().sign_in(identity("anna")).await;
    assert_eq!(sign_in_alone().await.expect_err("unknown").code(), "not_ready");
    sign_in(&copy, &identity("anna")).await;
    settled(&copy).await;
    let anna = sign_in_alone().await.expect("known");
    assert_eq!((anna.tenant(), anna.identity.role), (TENANT, Role::User));
    assert_eq!(service.users().is_known(OTHER_TENANT, anna.id()).await.ok(), Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_tenant_is_refused_if_it_is_older_than_the_copy_and_put_off_otherwise() {
    let copy = TestCopy::create().await;
    let _relay = copy.start_relay();
    copy.copied(&copy.feed(), Position(0)).await;
    let at = |second: i64| Some(Timestamp::from_second(1_700_000_000 + second).expect("a time"));
    let token = |tenant, second| Identity { tenant, issued_at: at(second), ..identity("anna") };
    sign_in(&copy, &token(TENANT, 10)).await;
    settled(&copy).await;
    let service = service(&copy);
    let code = async |token: Identity| service.users().sign_in(token).await.map_err(|error| error.code());
    assert_eq!(code(token(OTHER_TENANT, 20)).await.expect_err("newer"), "not_ready");
    assert_eq!(code(token(OTHER_TENANT, 5)).await.expect_err("older"), "token_superseded");
    sign_in(&copy, &token(OTHER_TENANT, 20)).await;
    settled(&copy).await;
    assert!(code(token(OTHER_TENANT, 20)).await.is_ok());
    assert_eq!(code(token(TENANT, 10)).await.expect_err("the former tenant"), "token_superseded");
    // A token of this service has the time of the Hub's token, too.
    let own =
        async |token: Identity| service.users().recognise(token, at(30)).await.map_err(|error| error.code());
    assert_eq!(own(token(TENANT, 10)).await.expect_err("the former tenant"), "token_superseded");
    assert_eq!(own(token(TENANT, 30)).await.expect_err("it may have returned"), "not_ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_ends_the_tokens_of_this_service() {
    let copy = TestCopy::create().await;
    let _relay = copy.start_relay();
    copy.copied(&copy.feed(), Position(0)).await;
    sign_in(&copy, &identity("anna")).await;
    let client = copy.client().await;
    client.execute("update users set logged_out_at = '2026-01-01T05:00Z'", &[]).await.expect("a logout");
    settled(&copy).await;
    let service = service(&copy);
    let recognise = async |issued_at: &str| {
        let issued_at: Timestamp = issued_at.parse().expect("a time");
        service
            .users()
            .recognise(identity("anna"), Some(issued_at))
            .await
            .map(drop)
            .map_err(|error| error.code())
    };
    assert_eq!(recognise("2026-01-01T05:00:00Z").await, Err("token_revoked"));
    assert_eq!(recognise("2026-01-01T05:00:01Z").await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_deleted_is_unknown() {
    let copy = TestCopy::create().await;
    let _relay = copy.start_relay();
    copy.copied(&copy.feed(), Position(0)).await;
    sign_in(&copy, &identity("anna")).await;
    settled(&copy).await;
    let users = alone(&copy).users;
    assert!(users.in_any_tenant(&user("anna")).await.expect("an answer").is_some());
    copy.client().await.execute("delete from users", &[]).await.expect("deleted");
    settled(&copy).await;
    assert_eq!(users.in_any_tenant(&user("anna")).await.expect("an answer"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_copy_has_all_users_before_it_has_the_whole_log() {
    let copy = TestCopy::create().await;
    for n in 0..450 {
        sign_in(&copy, &identity(&format!("user-{n}"))).await;
    }
    copy.store().add(TENANT, &room("!1"), &user("user-7")).await.expect("joined");
    // As if all of them had been copied to another table.
    copy.client().await.execute("delete from uncopied_users", &[]).await.expect("deleted");
    let _relay = copy.start_relay();
    copy.copied(&copy.feed(), Position(1)).await;
    let CopiedReaders { users, memberships, .. } = alone(&copy);
    for n in 0..450 {
        let id = user(&format!("user-{n}"));
        assert!(users.in_any_tenant(&id).await.expect("an answer").is_some(), "{id}");
        let rooms = memberships.of(TENANT, &id).await.expect("rooms");
        assert_eq!(rooms.len(), usize::from(n == 7), "{id}");
    }
}

/// The rights that a reader finds are those of the log at their position, which is never before the head
/// that the reader knew, while memberships change, relays are killed, and two processes read.
#[tokio::test(flavor = "multi_thread")]
async fn rights_are_never_older_than_the_events_that_are_shown() {
    const ROUNDS: usize = 60;
    let copy = Arc::new(TestCopy::create().await);
    sign_in(&copy, &identity("anna")).await;
    let first = copy.start_relay();
    copy.copied(&copy.feed(), Position(0)).await;
    settled(&copy).await;
    drop(first);
    let writer = tokio::spawn({
        let copy = copy.clone();
        async move {
            for n in 0..ROUNDS {
                let (room, anna) = (room(&format!("!{}", n % 5)), user("anna"));
                if n / 5 % 2 == 0 {
                    copy.store().add(TENANT, &room, &anna).await.expect("joined");
                } else {
                    copy.store().remove(TENANT, &room, &anna).await.expect("left");
                }
                copy.append(&events(3)).await;
                sleep(Duration::from_millis(rand::random_range(0..60))).await;
            }
        }
    });
    let killer = tokio::spawn({
        let copy = copy.clone();
        async move {
            loop {
                let _relay = copy.start_relay();
                sleep(Duration::from_millis(rand::random_range(100..700))).await;
                copy.release_lease().await;
            }
        }
    });
    let CopiedReaders { feed, memberships, .. } = alone(&copy);
    let (mut checks, begun) = (0, Instant::now());
    loop {
        let is_written = writer.is_finished();
        let head = feed.span().await.expect("a head").head;
        let rights = memberships.reader_rights(TENANT, &user("anna")).await.expect("rights").expect("a user");
        let mut rooms: Vec<_> = rights.rooms.iter().map(|(room, _)| room.clone()).collect();
        rooms.sort();
        let at = head.max(rights.since);
        assert_eq!(rooms, rooms_by_log(&copy, &user("anna"), at).await, "head {head}, {rights:?}");
        checks += 1;
        if is_written && head == copy.store().span().await.expect("a head").head {
            break;
        }
        assert!(begun.elapsed() < PATIENCE * 2, "the copy does not catch up");
    }
    killer.abort();
    writer.await.expect("it wrote");
    assert!(checks > 20, "{checks}");
}

/// The changes that a relay has read before it was frozen.
struct Outdated(ReaderChanges);

#[async_trait]
impl ReaderCopies for Outdated {
    async fn changed(&self, _limit: i64) -> Result<ReaderChanges> {
        Ok(self.0.clone())
    }

    async fn copied(&self, _changes: &[ReaderChange]) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_was_frozen_does_not_replace_newer_rights() {
    let copy = TestCopy::create().await;
    let relay = copy.start_relay();
    sign_in(&copy, &identity("anna")).await;
    copy.store().add(TENANT, &room("!old"), &user("anna")).await.expect("joined");
    copy.store().remove(TENANT, &room("!old"), &user("anna")).await.expect("left");
    copy.copied(&copy.feed(), Position(2)).await;
    settled(&copy).await;
    drop(relay);
    copy.release_lease().await;
    let outdated = |position| {
        let rooms = vec![(room("!old"), Position(0))];
        let reader =
            StoredReader { tenant: TENANT, role: Role::User, issued_at: None, logged_out_at: None, rooms };
        let change = ReaderChange { user: user("anna"), number: 1, reader: Some(reader) };
        Outdated(ReaderChanges { position, changes: vec![change] })
    };
    let members = alone(&copy).memberships;
    for (position, is_written) in [(Position(1), false), (Position(2), true)] {
        let ports = FeedCopyPorts { readers: Arc::new(outdated(position)), ..copy.ports() };
        let _frozen = RunningRelay::start(&copy.settings, ports);
        sleep(Duration::from_secs(2)).await;
        let rooms = members.of(TENANT, &user("anna")).await.expect("rooms");
        assert_eq!(!rooms.is_empty(), is_written, "{position}");
        copy.release_lease().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_its_last_commits_shows_no_rights_of_the_lost_log() {
    let copy = TestCopy::create().await;
    let relay = copy.start_relay();
    sign_in(&copy, &identity("anna")).await;
    copy.append(&events(3)).await;
    copy.copied(&copy.feed(), Position(3)).await;
    settled(&copy).await;
    drop(relay);
    // A relay writes the rights of the lost log, and ends before it copies the event.
    copy.store().add(TENANT, &room("!lost"), &user("anna")).await.expect("joined");
    let lost = copy.store().changed(10).await.expect("changes");
    assert_eq!((lost.position, lost.changes.len()), (Position(4), 1));
    copy.release_lease().await;
    let frozen = RunningRelay::start(
        &copy.settings,
        FeedCopyPorts { readers: Arc::new(Outdated(lost)), ..copy.ports() },
    );
    let members = alone(&copy).memberships;
    let written = async {
        while members.of(TENANT, &user("anna")).await.expect("rooms").is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, written).await.expect("the lost rights");
    drop(frozen);
    copy.client()
        .await
        .batch_execute(
            "delete from room_members; delete from events where position > 3; update feed_head set position = 3;
             delete from uncopied_users; update feed_copy set announced = 3, relayed = 3, lease_until = now();",
        )
        .await
        .expect("a state of before");
    let _relay = copy.start_relay();
    let gone = async {
        loop {
            // The next copy is not complete for a moment.
            if let Ok(rooms) = alone(&copy).memberships.of(TENANT, &user("anna")).await
                && rooms.is_empty()
            {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the rights of the present log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_no_relay_has_written_for_ten_minutes_lets_nobody_begin() {
    let copy = TestCopy::create().await;
    let relay = copy.start_relay();
    sign_in(&copy, &identity("anna")).await;
    copy.copied(&copy.feed(), Position(0)).await;
    settled(&copy).await;
    let service = || service(&copy);
    drop(relay);
    copy.clock.advance(Duration::from_mins(9));
    assert!(service().users().sign_in(identity("anna")).await.is_ok());
    copy.clock.advance(Duration::from_mins(2));
    let error = service().users().sign_in(identity("anna")).await.expect_err("nobody writes");
    assert_eq!(error.code(), "not_ready");
    copy.release_lease().await;
    let _relay = copy.start_relay();
    let attended = async {
        while service().users().sign_in(identity("anna")).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, attended).await.expect("a relay works again");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_installation_does_not_see_the_copy() {
    let copy = TestCopy::create().await;
    let _relay = copy.start_relay();
    sign_in(&copy, &identity("anna")).await;
    copy.copied(&copy.feed(), Position(0)).await;
    settled(&copy).await;
    let settings =
        messenger_core::FeedCopySettings { installation: "other".to_owned(), ..copy.settings.clone() };
    let other = copied_readers(&settings, copy.clock.clone());
    assert_eq!(
        other.users.find(TENANT, &user("anna")).await.expect_err("none").code(),
        "database_unavailable"
    );
    assert!(other.feed.span().await.is_err());
}
