//! Many writers, many reconnecting readers and several processes: each reader receives each event of its
//! audience once.

use std::time::Duration;

use messenger_core::{
    event::Audience,
    id::{Position, RoomId},
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger, sse::Reader};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

const WRITERS: u64 = 12;
const EACH: u64 = 150;
const READERS: u64 = 12;

/// Returns one of several audiences.
fn audience(random: &mut StdRng) -> Audience {
    let tenant = if random.random_bool(0.8) { fixtures::TENANT } else { fixtures::OTHER_TENANT };
    match random.random_range(0..4) {
        0 => Audience::User(tenant, fixtures::user("anna")),
        1 => Audience::User(tenant, fixtures::user("bert")),
        2 => Audience::Room(tenant, RoomId::new("!1")),
        _ => Audience::Tenant(tenant),
    }
}

async fn write(messenger: TestMessenger, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for n in 0..EACH {
        if random.random_bool(0.2) {
            messenger.send(fixtures::machine(7, &n.to_string()), Duration::ZERO).await;
        } else {
            let events: Vec<_> =
                (0..random.random_range(1..4)).map(|_| fixtures::event(audience(&mut random), "x")).collect();
            messenger.ports.feed.append(&events).await.expect("appended");
        }
        if random.random_bool(0.1) {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..4))).await;
        }
    }
}

/// Reads until the last event, and reconnects again and again to a random process.
async fn read(processes: Vec<TestMessenger>, caller: Caller, last: Audience, luck: u64) -> Vec<i64> {
    let mut random = StdRng::seed_from_u64(luck);
    let mut seen = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let process = &processes[random.random_range(0..processes.len())];
        let mut stream =
            Reader::new(process.streams().subscribe(&caller, Some(&cursor)).await.expect("a stream"));
        for _ in 0..random.random_range(1..200) {
            let Some(event) = stream.next().await else { break };
            assert_ne!(event.kind(), "reset");
            // The id of `connected` is where the stream begins.
            if let Some(id) = event.id.as_ref().filter(|_| event.kind() != "connected") {
                seen.push(id.parse().expect("a number"));
                cursor.clone_from(id);
            }
            if event.data.contains("the end") {
                assert!(event.data.contains(&last.to_string()));
                return seen;
            }
        }
    }
}

/// Runs writers and readers on three processes, each with a broker.
async fn each_receives_its_events(jitter: Duration) {
    let first = messenger().settings(|settings| settings.replay_max = 1_000_000).build();
    first.memory.jitter(jitter);
    let processes = vec![first.another_process(), first.another_process(), first.clone()];
    let _brokers: Vec<_> = processes.iter().map(TestMessenger::run_broker).collect();
    let mut callers = Vec::new();
    for (name, tenant) in
        [("anna", fixtures::TENANT), ("bert", fixtures::TENANT), ("carl", fixtures::OTHER_TENANT)]
    {
        callers.push(first.caller(name, tenant).await);
    }
    first
        .ports
        .memberships
        .add(fixtures::TENANT, &RoomId::new("!1"), &fixtures::user("anna"))
        .await
        .expect("added");
    let readers: Vec<_> = (0..READERS)
        .map(|n| {
            let caller = callers[usize::try_from(n).expect("small") % callers.len()].clone();
            let last = Audience::User(caller.user.tenant(), caller.user.id().clone());
            tokio::spawn(read(processes.clone(), caller, last, n))
        })
        .collect();
    let writers: tokio::task::JoinSet<_> = (0..WRITERS)
        .map(|n| write(processes[usize::try_from(n).expect("small") % 3].clone(), 100 + n))
        .collect();
    writers.join_all().await;
    for caller in &callers {
        let last = Audience::User(caller.user.tenant(), caller.user.id().clone());
        let text = format!("the end of {last}");
        first.ports.feed.append(&[fixtures::event(last, &text)]).await.expect("appended");
    }
    for (n, reader) in readers.into_iter().enumerate() {
        let seen =
            tokio::time::timeout(Duration::from_mins(1), reader).await.expect("in time").expect("no panic");
        let user = &callers[n % callers.len()].user;
        let mut audience =
            vec![Audience::Tenant(user.tenant()), Audience::User(user.tenant(), user.id().clone())];
        if user.id().as_str() == "anna" {
            audience.push(Audience::Room(fixtures::TENANT, RoomId::new("!1")));
        }
        let events = first
            .ports
            .feed
            .after(Position(0), &fixtures::all_of(&audience), 1_000_000)
            .await
            .expect("events");
        let expected: Vec<_> = events.iter().map(|event| event.position.0).collect();
        assert!(expected.len() > 100);
        assert_eq!(seen, expected, "reader {n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_reader_receives_each_event_of_its_audience_once_and_in_order() {
    each_receives_its_events(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn each_reader_receives_the_same_events_from_a_slow_store() {
    each_receives_its_events(Duration::from_millis(20)).await;
}

/// Opens a stream while the user joins a room. The stream must have the room's events after the join.
async fn join_while_opening(messenger: &TestMessenger, round: usize) {
    let caller = messenger.caller(&format!("user{round}"), fixtures::TENANT).await;
    let room = RoomId::new(format!("!{round}"));
    let cursor = messenger.ports.feed.span().await.expect("a span").head.to_string();
    let (joining, user, joined) = (messenger.clone(), caller.user.id().clone(), room.clone());
    let join = tokio::spawn(async move {
        joining.ports.memberships.add(fixtures::TENANT, &joined, &user).await.expect("added");
        let after = fixtures::event(Audience::Room(fixtures::TENANT, joined), "after the join");
        joining.ports.feed.append(&[after]).await.expect("appended");
    });
    let from = round.is_multiple_of(2).then_some(cursor.as_str());
    let mut stream = Reader::new(messenger.streams().subscribe(&caller, from).await.expect("a stream"));
    join.await.expect("no panic");
    let received = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let event = stream.next_without_keepalives().await.expect("an event");
            // Without a cursor the stream may begin after the event.
            let begins_later =
                event.kind() == "connected" && event.json()["cursor"].as_i64() > cursor.parse().ok();
            if event.data.contains("after the join") || (from.is_none() && begins_later) {
                return;
            }
        }
    })
    .await;
    assert!(received.is_ok(), "round {round}: a member missed an event of their room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_receives_a_rooms_events_however_stream_and_join_race() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    for round in 0..100 {
        join_while_opening(&messenger, round).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_receives_a_rooms_events_from_a_slow_store() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    messenger.memory.jitter(Duration::from_millis(20));
    for round in 0..300 {
        join_while_opening(&messenger, round).await;
    }
}
