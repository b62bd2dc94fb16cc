//! Notifications during and after an outage of the database.

use std::time::Duration;

use messenger_core::{
    Error,
    error::{Failure, System},
    notification::Status,
};
use messenger_testkit::{fixtures, messenger};

use crate::{NO_WAIT, WAIT, run_until_idle};

#[tokio::test(start_paused = true)]
async fn no_notification_is_accepted_during_a_database_outage() {
    let messenger = messenger().build();
    messenger.memory.switch_off();
    let refused = messenger
        .notifications()
        .notify(fixtures::satellite(), fixtures::draft("x"), fixtures::waiting(WAIT))
        .await;
    let Err(Error::Fault(fault)) = refused else { panic!("the notification was accepted") };
    assert_eq!((fault.system, fault.failure), (System::Database, Failure::Unreachable));
    messenger.memory.switch_on();
    run_until_idle(&messenger).await;
    assert!(messenger.homeserver.rooms().is_empty());
    assert_eq!(messenger.send(fixtures::draft("x"), WAIT).await.notification.status, Status::Sent);
}

#[tokio::test(start_paused = true)]
async fn a_database_outage_after_acceptance_loses_no_notification() {
    for moment in [50, 150, 250] {
        let messenger = messenger().build();
        messenger.homeserver.delay_requests(Duration::from_millis(100));
        let sender = messenger.clone();
        let sending = tokio::spawn(async move { sender.send(fixtures::draft("x"), WAIT).await.notification });
        tokio::time::sleep(Duration::from_millis(moment)).await;
        messenger.memory.switch_off();
        let answer = sending.await.expect("answered");
        assert!(matches!(answer.status, Status::Pending | Status::Sent));
        messenger.memory.switch_on();
        run_until_idle(&messenger).await;
        assert_eq!(messenger.homeserver.all_bodies(), ["[inventory] x"]);
        assert_eq!(
            messenger.notifications().find(&fixtures::satellite(), answer.id).await.expect("stored").status,
            Status::Sent
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_continues_after_a_database_outage() {
    let messenger = messenger().build();
    messenger.send(fixtures::draft("x"), NO_WAIT).await;
    messenger.homeserver.delay_requests(Duration::from_millis(100));
    let worker = messenger.clone();
    let working = tokio::spawn(async move { worker.delivery().deliver_due().await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    messenger.memory.switch_off();
    assert!(working.await.expect("no panic").is_err());
    messenger.memory.switch_on();
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies(), ["[inventory] x"]);
}
