//! Notifications during and after outages of the homeserver.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    notification::{Notification, Status, reason},
    port::Clock as _,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{AFTER_BACKOFF, NO_WAIT, WAIT, run_until_idle};

async fn found(messenger: &TestMessenger, of: &Notification) -> Notification {
    messenger.notifications().find(&fixtures::satellite(), of.id).await.expect("it is stored")
}

fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("[inventory] {n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_a_room_has_each_notification_once_and_in_order() {
    let messenger = messenger().build();
    messenger.homeserver.switch_off();
    for n in 0..50 {
        let wait = if n % 2 == 0 { WAIT } else { NO_WAIT };
        messenger.send(fixtures::draft(&n.to_string()), wait).await;
        if n % 10 == 0 {
            messenger.pass(Duration::from_secs(2));
            messenger.work().await;
        }
    }
    messenger.homeserver.switch_on();
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..50));
}

#[tokio::test(start_paused = true)]
async fn an_outage_in_the_middle_of_a_queue_keeps_the_order() {
    let messenger = messenger().build();
    for n in 0..20 {
        messenger.send(fixtures::draft(&n.to_string()), NO_WAIT).await;
    }
    messenger.homeserver.fail_call(5, Failure::Unreachable);
    messenger.homeserver.fail_call(9, Failure::Broken);
    messenger.homeserver.lose_response(12);
    messenger.work().await;
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..3), "the queue is in backoff");
    messenger.send(fixtures::draft("20"), WAIT).await;
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..21));
}

#[tokio::test(start_paused = true)]
async fn retry_now_ends_all_backoffs() {
    let messenger = messenger().build();
    messenger.homeserver.switch_off();
    for machine in 0..5 {
        messenger.send(fixtures::machine(machine, "x"), WAIT).await;
    }
    messenger.homeserver.switch_on();
    messenger.work().await;
    assert!(messenger.homeserver.rooms().is_empty(), "all queues are in backoff");
    messenger.ports.maintenance.retry_now().await.expect("retried");
    messenger.work().await;
    assert_eq!(messenger.homeserver.all_bodies().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_queue_in_backoff_does_not_delay_others() {
    let messenger = messenger().build();
    messenger.homeserver.fail_call(1, Failure::TimedOut);
    messenger.send(fixtures::machine(1, "late"), WAIT).await;
    let other = messenger.send(fixtures::machine(2, "x"), WAIT).await.notification;
    assert_eq!(other.status, Status::Sent);
}

#[tokio::test(start_paused = true)]
async fn a_worker_keeps_its_room_queue_however_slow_the_homeserver_is() {
    let messenger = messenger().build();
    for n in 0..8 {
        messenger.send(fixtures::draft(&n.to_string()), NO_WAIT).await;
    }
    messenger.homeserver.delay_requests(Duration::from_secs(8));
    let worker = messenger.clone();
    let working = tokio::spawn(async move { worker.delivery().deliver_due().await });
    tokio::task::yield_now().await;
    let other = messenger.another_process();
    for second in 0..100 {
        if working.is_finished() {
            break;
        }
        let claimed = other.delivery().claim_queue().await.expect("claimed");
        assert_eq!(claimed, None, "after {second} seconds");
        messenger.pass(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(working.await.expect("no panic").expect("delivered"));
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..8));
}

#[tokio::test(start_paused = true)]
async fn each_failure_doubles_the_backoff_up_to_five_minutes() {
    let messenger = messenger().build();
    messenger.homeserver.switch_off();
    let mut pending = messenger.send(fixtures::draft("x"), WAIT).await.notification;
    for attempt in 0..14 {
        assert_eq!(pending.attempts, attempt + 1);
        let next = pending.next_attempt_at.expect("it is tried again");
        let backoff = next.duration_since(messenger.clock.now()).as_secs_f64();
        let longest = f64::min(300.0, 2_f64.powi(attempt));
        assert!(
            backoff <= longest && backoff >= longest * 0.74,
            "attempt {attempt}: {backoff} s of {longest} s"
        );
        messenger.pass(AFTER_BACKOFF);
        messenger.work().await;
        pending = found(&messenger, &pending).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_of_the_homeserver_is_respected() {
    let messenger = messenger().build();
    for (asked, expected) in [(17, 17), (3600, 300)] {
        let failure = Failure::Limited(Duration::from_secs(asked));
        messenger.homeserver.fail_call(1, failure);
        let draft = fixtures::machine(i64::try_from(asked).expect("small"), "x");
        let pending = messenger.send(draft, WAIT).await.notification;
        let backoff =
            pending.next_attempt_at.expect("it is tried again").duration_since(messenger.clock.now());
        assert_eq!(backoff.as_secs(), expected);
        assert_eq!(pending.reason.as_deref(), Some(reason::HOMESERVER_UNAVAILABLE));
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_response_of_the_homeserver_is_retried() {
    let messenger = messenger().build();
    messenger.homeserver.fail_call(1, Failure::Broken);
    let pending = messenger.send(fixtures::draft("x"), WAIT).await.notification;
    assert_eq!(
        (pending.status, pending.reason.as_deref()),
        (Status::Pending, Some(reason::HOMESERVER_ERROR))
    );
    run_until_idle(&messenger).await;
    assert_eq!(found(&messenger, &pending).await.status, Status::Sent);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_notification_fails_and_delays_no_other() {
    let messenger = messenger().build();
    messenger.homeserver.reject("bad");
    let failed = messenger.send(fixtures::draft("bad"), WAIT).await.notification;
    assert_eq!(
        (failed.status, failed.reason.as_deref()),
        (Status::Failed, Some(reason::REFUSED_BY_HOMESERVER))
    );
    assert_eq!(found(&messenger, &failed).await.status, Status::Failed);
    for title in ["1", "bad", "2"] {
        messenger.send(fixtures::draft(title), NO_WAIT).await;
    }
    messenger.work().await;
    assert_eq!(messenger.homeserver.all_bodies(), ["[inventory] 1", "[inventory] 2"]);
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies().len(), 2, "the rejected one is not retried");
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_does_not_cause_a_second_message() {
    for nth in 1..=2 {
        let messenger = messenger().build();
        messenger.homeserver.lose_response(nth);
        let pending = messenger.send(fixtures::draft("x"), WAIT).await.notification;
        assert_eq!(pending.status, Status::Pending);
        run_until_idle(&messenger).await;
        assert_eq!(messenger.homeserver.all_bodies(), ["[inventory] x"]);
        assert_eq!(messenger.homeserver.rooms().len(), 1);
        assert_eq!(found(&messenger, &pending).await.status, Status::Sent);
    }
}

#[tokio::test(start_paused = true)]
async fn two_workers_and_a_caller_deliver_once() {
    let messenger = messenger().build();
    let _workers = [messenger.another_process().run_worker(), messenger.another_process().run_worker()];
    messenger.homeserver.delay_requests(Duration::from_millis(70));
    for n in 0..30 {
        messenger.send(fixtures::draft(&n.to_string()), Duration::from_millis(100 * (n % 3))).await;
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    messenger.homeserver.delay_requests(Duration::ZERO);
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies().len(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_worker_leaves_a_notification_in_flight_to_its_caller() {
    let messenger = messenger().build();
    messenger.send(fixtures::draft("0"), WAIT).await;
    messenger.homeserver.delay_requests(Duration::from_secs(1));
    let caller = messenger.clone();
    let sending = tokio::spawn(async move { caller.send(fixtures::draft("1"), WAIT).await.notification });
    tokio::time::sleep(Duration::from_millis(100)).await;
    messenger.send(fixtures::draft("2"), NO_WAIT).await;
    let calls = messenger.homeserver.calls();
    messenger.work().await;
    assert_eq!(
        messenger.homeserver.calls(),
        calls,
        "the first is not sent twice, and the second does not overtake it"
    );
    assert_eq!(sending.await.expect("answered").status, Status::Sent);
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..3));
}

#[tokio::test(start_paused = true)]
async fn a_notification_behind_a_callers_delivery_follows_at_once() {
    let messenger = messenger().build();
    messenger.send(fixtures::draft("0"), WAIT).await;
    messenger.homeserver.delay_requests(Duration::from_millis(50));
    let caller = messenger.clone();
    let sending = tokio::spawn(async move { caller.send(fixtures::draft("1"), WAIT).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    messenger.send(fixtures::draft("2"), NO_WAIT).await;
    let _worker = messenger.run_worker();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        messenger.pass(Duration::from_millis(100));
    }
    assert!(sending.is_finished());
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..3));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_continues_after_its_callers_timeout() {
    let messenger = messenger().build();
    messenger.homeserver.delay_responses(Duration::from_secs(2));
    let slow = messenger.send(fixtures::draft("0"), WAIT).await.notification;
    assert_eq!((slow.status, slow.in_flight), (Status::Pending, None));
    messenger.send(fixtures::draft("1"), WAIT).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(found(&messenger, &slow).await.status, Status::Sent, "without a worker");
    messenger.work().await;
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..2), "the next one is delivered at once");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_continues_after_its_caller_disconnects() {
    let messenger = messenger().build();
    messenger.homeserver.delay_requests(Duration::from_secs(1));
    let caller = messenger.clone();
    let sending = tokio::spawn(async move { caller.send(fixtures::draft("0"), WAIT).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    sending.abort();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..1));
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies(), numbered(0..1));
}

#[tokio::test(start_paused = true)]
async fn a_process_waits_for_its_deliveries_before_it_ends() {
    let messenger = messenger().build();
    messenger.homeserver.delay_requests(Duration::from_secs(5));
    let slow = messenger.send(fixtures::draft("0"), WAIT).await.notification;
    messenger.drain_background().await;
    assert_eq!(found(&messenger, &slow).await.status, Status::Sent);
}
