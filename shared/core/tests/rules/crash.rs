//! A process may end at any moment: an accepted notification is in its room exactly once.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    event::Kind,
    notification::{SendOptions, Status},
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{NO_WAIT, WAIT, run_until_idle};

/// Runs a scenario again and again, each time ended one step later, until it completes.
async fn at_every_step(scenario: impl AsyncFn(usize) -> bool) {
    for step in 0..1000 {
        if scenario(step).await {
            assert!(step > 5, "there were only {step} steps");
            return;
        }
    }
    panic!("the scenario never completes");
}

fn options() -> SendOptions {
    SendOptions { wait: WAIT, ..fixtures::retried("key", "f") }
}

/// Returns the number of notifications in the event log.
fn published(messenger: &TestMessenger) -> usize {
    count(messenger, Kind::Notification)
}

fn count(messenger: &TestMessenger, kind: Kind) -> usize {
    messenger.memory.events().iter().filter(|event| event.kind == kind).count()
}

#[tokio::test(start_paused = true)]
async fn a_sender_may_crash_at_every_step() {
    at_every_step(async |step| {
        let messenger = messenger().build();
        let call =
            messenger.notifications().notify(fixtures::satellite(), fixtures::machine(7, "x"), options());
        let done = messenger.crash_after(step, call).await.is_some();
        let survivor = messenger.another_process();
        run_until_idle(&survivor).await;
        let accepted = published(&survivor);
        assert_eq!(survivor.homeserver.all_bodies().len(), accepted, "step {step}");
        let again = survivor
            .notifications()
            .notify(fixtures::satellite(), fixtures::machine(7, "x"), options())
            .await;
        assert_eq!(again.expect("accepted").replayed, accepted == 1);
        run_until_idle(&survivor).await;
        assert_eq!(survivor.homeserver.all_bodies(), ["[inventory] x"], "step {step}");
        assert_eq!((survivor.homeserver.rooms().len(), published(&survivor)), (1, 1));
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_may_crash_at_every_step_while_the_homeserver_fails() {
    for trouble in 1..=2 {
        at_every_step(async |step| {
            let messenger = messenger().build();
            if trouble == 1 {
                messenger.homeserver.lose_response(1);
                messenger.homeserver.lose_response(3);
            } else {
                messenger.homeserver.fail_call(2, Failure::Broken);
            }
            let call =
                messenger.notifications().notify(fixtures::satellite(), fixtures::draft("x"), options());
            let done = messenger.crash_after(step, call).await.is_some();
            let survivor = messenger.another_process();
            run_until_idle(&survivor).await;
            assert_eq!(survivor.homeserver.all_bodies().len(), published(&survivor), "step {step}");
            done
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_may_crash_at_every_step_after_its_caller_was_answered() {
    at_every_step(async |step| {
        let messenger = messenger().build();
        messenger.homeserver.delay_responses(Duration::from_secs(2));
        let call = async {
            let answer = messenger.send(fixtures::machine(7, "x"), WAIT).await.notification;
            assert_eq!(answer.status, Status::Pending);
            messenger.drain_background().await;
        };
        let done = messenger.crash_after(step, call).await.is_some();
        let survivor = messenger.another_process();
        run_until_idle(&survivor).await;
        assert_eq!(survivor.homeserver.all_bodies().len(), published(&survivor), "step {step}");
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_may_crash_at_every_step() {
    at_every_step(async |step| {
        let messenger = messenger().build();
        for title in ["1", "2", "3"] {
            messenger.send(fixtures::draft(title), NO_WAIT).await;
        }
        let done = messenger.crash_after(step, messenger.work()).await.is_some();
        let survivor = messenger.another_process();
        survivor.send(fixtures::draft("4"), WAIT).await;
        run_until_idle(&survivor).await;
        let expected = ["[inventory] 1", "[inventory] 2", "[inventory] 3", "[inventory] 4"];
        assert_eq!(survivor.homeserver.all_bodies(), expected, "step {step}");
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_first_login_may_crash_at_every_step() {
    at_every_step(async |step| {
        let messenger = messenger().build();
        messenger.send(fixtures::dm("anna", "held"), NO_WAIT).await;
        let login = async {
            messenger.caller("anna", fixtures::TENANT).await;
            messenger.work().await;
        };
        let done = messenger.crash_after(step, login).await.is_some();
        let survivor = messenger.another_process();
        survivor.caller("anna", fixtures::TENANT).await;
        run_until_idle(&survivor).await;
        assert_eq!(survivor.homeserver.all_bodies(), ["[inventory] held"], "step {step}");
        assert_eq!(published(&survivor), 1);
        assert_eq!(survivor.homeserver.accounts(), 1);
        done
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_recipient_of_a_direct_message_is_in_its_room_whatever_crashed() {
    at_every_step(async |step| {
        let messenger = messenger().build();
        messenger.caller("anna", fixtures::TENANT).await;
        messenger.send(fixtures::dm("anna", "x"), NO_WAIT).await;
        let done = messenger.crash_after(step, messenger.delivery().deliver_due()).await.is_some();
        let survivor = messenger.another_process();
        run_until_idle(&survivor).await;
        let rooms =
            survivor.ports.memberships.of(fixtures::TENANT, &fixtures::user("anna")).await.expect("rooms");
        assert_eq!(rooms.len(), 2, "step {step}: the general room and the one with the bot");
        for room in rooms {
            assert_eq!(survivor.homeserver.members(&room).len(), 1, "step {step}");
        }
        done
    })
    .await;
}

/// Runs senders, workers and a homeserver that all fail at random.
async fn chaos(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let messenger = messenger().build();
    let mut accepted = Vec::new();
    for n in 0..random.random_range(1..12) {
        let title = n.to_string();
        match random.random_range(0..6) {
            0 => messenger.homeserver.fail_call(random.random_range(1..4), Failure::Unreachable),
            1 => messenger.homeserver.lose_response(random.random_range(1..4)),
            2 => messenger.homeserver.delay_responses(Duration::from_millis(random.random_range(0..2000))),
            _ => messenger.pass(Duration::from_millis(random.random_range(0..3000))),
        }
        let (process, worker) = (messenger.another_process(), messenger.another_process());
        let wait = Duration::from_secs(random.random_range(0..4));
        let machine = random.random_range(0..2);
        let sending = process.send(fixtures::machine(machine, &title), wait);
        let (answer, _) = tokio::join!(
            process.crash_after(random.random_range(0..40), sending),
            worker.crash_after(random.random_range(0..40), worker.delivery().deliver_due()),
        );
        accepted.extend(answer.map(|_| title));
        if random.random_bool(0.3) {
            process.kill();
        }
    }
    // Lets the surviving processes complete.
    tokio::time::sleep(Duration::from_mins(10)).await;
    messenger.homeserver.delay_responses(Duration::ZERO);
    run_until_idle(&messenger.another_process()).await;
    let mut bodies = messenger.homeserver.all_bodies();
    assert_eq!(
        bodies.len(),
        published(&messenger),
        "seed {seed}: each accepted notification is in its room once"
    );
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), published(&messenger), "seed {seed}");
    assert_eq!(
        bodies.len(),
        count(&messenger, Kind::NotificationSent),
        "seed {seed}: each is published as sent once"
    );
    assert!(accepted.iter().all(|title| bodies.contains(&format!("[inventory] {title}"))), "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn every_accepted_notification_is_delivered_once_whatever_crashes() {
    for seed in 0..400 {
        Box::pin(chaos(seed)).await;
    }
}
