//! A homeserver that is stopped, frozen or killed, or does not know the token.

use std::time::Duration;

use anyhow::{Context, Result};
use messenger_core::{
    error::Failure,
    port::{Accounts, Homeserver, MembershipCalls, RoomAdministration, Timeline},
    room::NewRoom,
};
use messenger_matrix::{Appservice, HomeserverConfig};

use crate::fixture::{Fixture, failure, room, segment, text, user};

pub(crate) async fn a_stopped_homeserver_is_unreachable(mut fixture: Fixture) -> Result<()> {
    let id = fixture.appservice.create_room(&room("stopped")).await?;
    fixture.appservice.ping().await?;
    fixture.server.stop().await;
    let appservice = &fixture.appservice;
    assert_eq!(failure(appservice.ping().await)?, Failure::Unreachable);
    assert_eq!(failure(appservice.send(&id, "n1", &text("x")).await)?, Failure::Unreachable);
    assert_eq!(failure(appservice.create_room(&room("other")).await)?, Failure::Unreachable);
    assert_eq!(failure(appservice.join(&id, &user("anna")).await)?, Failure::Unreachable);
    assert_eq!(failure(appservice.ensure_user(&user("anna"), "Anna").await)?, Failure::Unreachable);
    fixture.server.start_again().await?;
    fixture.appservice.ping().await?;
    fixture.appservice.send(&id, "n1", &text("x")).await?;
    Ok(())
}

pub(crate) async fn a_frozen_homeserver_times_out(fixture: Fixture) -> Result<()> {
    let anna = fixture.person("anna").await?;
    let wanted = NewRoom { invite: vec![user("anna")], ..room("frozen") };
    fixture.server.pause();
    let (ping, created) = tokio::join!(fixture.appservice.ping(), fixture.appservice.create_room(&wanted));
    fixture.server.resume();
    assert_eq!(failure(ping)?, Failure::TimedOut);
    assert_eq!(failure(created)?, Failure::TimedOut);
    // The homeserver may process the first request now. Both create the same room.
    let id = fixture.appservice.create_room(&wanted).await?;
    assert_eq!(fixture.appservice.create_room(&wanted).await?, id);
    assert_eq!(anna.invitations().await?, [id.as_str()]);
    Ok(())
}

/// Killed at any moment, Synapse leaves an alias with an empty room, and Conduit a room without alias.
pub(crate) async fn a_homeserver_killed_during_a_creation_creates_one_room(
    mut fixture: Fixture,
) -> Result<()> {
    let anna = fixture.person("anna").await?;
    let mut made = Vec::new();
    for milliseconds in [2, 5, 30] {
        let wanted = NewRoom { invite: vec![user("anna")], ..room(&format!("killed{milliseconds}")) };
        let appservice = fixture.appservice.clone();
        let interrupted = tokio::spawn({
            let wanted = wanted.clone();
            async move { appservice.create_room(&wanted).await }
        });
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        fixture.server.kill();
        let interrupted = interrupted.await?;
        fixture.server.start_again().await?;
        let id = fixture.appservice.create_room(&wanted).await?;
        assert!(interrupted.is_err() || interrupted.is_ok_and(|first| first == id));
        assert_eq!(fixture.appservice.create_room(&wanted).await?, id);
        assert_eq!(
            fixture.bot()?.state(&segment(&id), "m.room.guest_access", "").await?["guest_access"],
            "forbidden"
        );
        assert_eq!(fixture.bot()?.state(&segment(&id), "m.room.name", "").await?["name"], "Fräse 42");
        made.push(id.as_str().to_owned());
    }
    made.sort();
    assert_eq!(anna.invitations().await?, made);
    Ok(())
}

pub(crate) async fn a_wrong_token_is_a_transient_error_and_never_shown(fixture: Fixture) -> Result<()> {
    let id = fixture.appservice.create_room(&room("token")).await?;
    let secret = "wrong-secret-0123";
    let stranger =
        Appservice::new(HomeserverConfig { as_token: secret.to_owned(), ..fixture.config.clone() })?;
    let error = stranger.send(&id, "n1", &text("x")).await.err().context("a wrong token was accepted")?;
    assert_eq!(error.failure(), Some(Failure::Broken));
    assert!(error.is_transient());
    let debug = format!("{error:?} {:?}", fixture.config);
    let shown = format!("{debug} {:#}", anyhow::Error::from(error));
    assert!(!shown.contains(secret) && !shown.contains(&fixture.config.as_token), "{shown}");
    Ok(())
}
