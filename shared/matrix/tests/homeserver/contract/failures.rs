//! A homeserver that is away, stuck, or does not know us.

use std::time::Duration;

use anyhow::{Context, Result};
use messenger_core::{error::Failure, port::Homeserver, room::NewRoom};
use messenger_matrix::{Appservice, HomeserverConfig};

use crate::stand::{Stand, failure, part, room, text, user};

pub(crate) async fn a_stopped_homeserver_is_unreachable(mut stand: Stand) -> Result<()> {
    let id = stand.appservice.create_room(&room("stopped")).await?;
    stand.appservice.ping().await?;
    stand.server.stop().await;
    let us = &stand.appservice;
    assert_eq!(failure(us.ping().await)?, Failure::Unreachable);
    assert_eq!(failure(us.send(&id, "n1", &text("x")).await)?, Failure::Unreachable);
    assert_eq!(failure(us.create_room(&room("other")).await)?, Failure::Unreachable);
    assert_eq!(failure(us.join(&id, &user("anna")).await)?, Failure::Unreachable);
    assert_eq!(failure(us.ensure_user(&user("anna"), "Anna").await)?, Failure::Unreachable);
    stand.server.start_again().await?;
    stand.appservice.ping().await?;
    stand.appservice.send(&id, "n1", &text("x")).await?;
    Ok(())
}

pub(crate) async fn a_frozen_homeserver_does_not_answer_in_time(stand: Stand) -> Result<()> {
    let anna = stand.person("anna").await?;
    let wanted = NewRoom { invite: vec![user("anna")], ..room("frozen") };
    stand.server.pause();
    let (ping, created) = tokio::join!(stand.appservice.ping(), stand.appservice.create_room(&wanted));
    stand.server.resume();
    assert_eq!(failure(ping)?, Failure::TimedOut);
    assert_eq!(failure(created)?, Failure::TimedOut);
    // What it was asked then, it may do now. It is the same room.
    let id = stand.appservice.create_room(&wanted).await?;
    assert_eq!(stand.appservice.create_room(&wanted).await?, id);
    assert_eq!(anna.invitations().await?, [id.as_str()]);
    Ok(())
}

/// At any moment: between its parts, Synapse leaves an alias that leads to nothing, and Conduit a room without alias.
pub(crate) async fn a_homeserver_that_dies_over_a_room_leaves_one(mut stand: Stand) -> Result<()> {
    let anna = stand.person("anna").await?;
    let mut made = Vec::new();
    for milliseconds in [2, 5, 30] {
        let wanted = NewRoom { invite: vec![user("anna")], ..room(&format!("dies{milliseconds}")) };
        let us = stand.appservice.clone();
        let interrupted = tokio::spawn({
            let wanted = wanted.clone();
            async move { us.create_room(&wanted).await }
        });
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        stand.server.kill();
        let interrupted = interrupted.await?;
        stand.server.start_again().await?;
        let id = stand.appservice.create_room(&wanted).await?;
        assert!(interrupted.is_err() || interrupted.is_ok_and(|first| first == id));
        assert_eq!(stand.appservice.create_room(&wanted).await?, id);
        assert_eq!(
            stand.bot()?.state(&part(&id), "m.room.guest_access", "").await?["guest_access"],
            "forbidden"
        );
        assert_eq!(stand.bot()?.state(&part(&id), "m.room.name", "").await?["name"], "Fräse 42");
        made.push(id.as_str().to_owned());
    }
    made.sort();
    assert_eq!(anna.invitations().await?, made);
    Ok(())
}

pub(crate) async fn a_wrong_token_is_tried_again_and_never_shown(stand: Stand) -> Result<()> {
    let id = stand.appservice.create_room(&room("token")).await?;
    let secret = "wrong-secret-0123";
    let stranger = Appservice::new(HomeserverConfig { as_token: secret.to_owned(), ..stand.config.clone() })?;
    let error = stranger.send(&id, "n1", &text("x")).await.err().context("a wrong token was taken")?;
    assert_eq!(error.failure(), Some(Failure::Broken));
    assert!(error.is_transient());
    let debug = format!("{error:?} {:?}", stand.config);
    let shown = format!("{debug} {:#}", anyhow::Error::from(error));
    assert!(!shown.contains(secret) && !shown.contains(&stand.config.as_token), "{shown}");
    Ok(())
}
