//! Behaviour of Synapse only.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use messenger_core::port::{Accounts, RoomAdministration};
use messenger_matrix::{Appservice, HomeserverConfig, Registration, bootstrap};
use serde_json::json;

use crate::{
    client::Client,
    fixture::{Fixture, room, segment, user},
};

/// Synapse stores the alias before the room has a member. If it is killed between the two, the room stays
/// empty.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_with_an_empty_room_gets_a_new_room() -> Result<()> {
    let fixture = Fixture::synapse().await?;
    let ghost = fixture.bot()?.acting_for("@ghost:hub.local");
    ghost.register("ghost", None).await?;
    let dead = ghost.post("/createRoom", json!({ "room_alias_name": "hub_dead" })).await?;
    let dead = dead["room_id"].as_str().context("a room id")?.to_owned();
    ghost.post(&format!("/rooms/{}/leave", dead.replace('!', "%21")), json!({})).await?;

    let id = fixture.appservice.create_room(&room("dead")).await?;
    assert_ne!(id.as_str(), dead);
    assert_eq!(fixture.appservice.create_room(&room("dead")).await?, id);
    assert_eq!(fixture.bot()?.state(&segment(&id), "m.room.name", "").await?["name"], "Fräse 42");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_gets_an_explanation() -> Result<()> {
    let fixture = Fixture::synapse().await?;
    let secret = "another-secret-0123";
    let config = HomeserverConfig { as_token: secret.to_owned(), ..fixture.config.clone() };
    let registration = Registration { as_token: secret.to_owned(), ..fixture.registration.clone() };
    let error = bootstrap(&config, &registration, &fixture.admin)
        .await
        .err()
        .context("an unknown token was accepted")?;
    let shown = format!("{:#}", anyhow::Error::from(error));
    assert!(shown.contains("app_service_config_files") && !shown.contains(secret), "{shown}");
    Ok(())
}

/// Conduit does not separate its Application Services.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_another_application_service_is_not_claimed() -> Result<()> {
    let bridge = json!({
        "id": "bridge", "url": null, "as_token": "as_bridge", "hs_token": "hs_bridge", "sender_localpart": "bridge",
        "namespaces": { "users": [{ "exclusive": true, "regex": "^@irc-.*:hub\\.local$" }] },
    });
    let fixture = Fixture::synapse_with(vec![bridge.to_string()]).await?;
    fixture.bootstrap().await?;
    let anna = Client::new(fixture.server.url(), "as_bridge")?;
    anna.register("irc-anna", None).await?;
    for name in ["irc-anna", "irc-bert", "bridge"] {
        assert!(!fixture.appservice.claim_account(&user(name)).await?, "{name}");
    }
    assert!(fixture.appservice.claim_account(&user("anna")).await?);
    Ok(())
}

/// Synapse responds with 409 to the later of two processes, while the room of the first is still empty.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_concurrent_processes_create_one_room() -> Result<()> {
    let fixture = Fixture::synapse().await?;
    let processes: Vec<_> =
        (0..20).map(|_| Appservice::new(fixture.config.clone())).collect::<Result<_, _>>()?;
    let new = room("processes");
    let ids = try_join_all(processes.iter().map(|process| process.create_room(&new))).await?;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(fixture.bot()?.joined_rooms().await?, [ids[0].as_str()]);
    Ok(())
}
