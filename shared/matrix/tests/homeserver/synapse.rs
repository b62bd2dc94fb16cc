//! What only Synapse does.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use messenger_core::port::Homeserver;
use messenger_matrix::{Appservice, HomeserverConfig, Registration, bootstrap};
use serde_json::json;

use crate::{
    client::Client,
    stand::{Stand, part, room, user},
};

/// Synapse notes the alias before the room has a member. When it dies between the two, the alias leads to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_whose_room_has_no_members_gets_another_room() -> Result<()> {
    let stand = Stand::synapse().await?;
    let ghost = stand.bot()?.acting_for("@ghost:hub.local");
    ghost.register("ghost", None).await?;
    let dead = ghost.post("/createRoom", json!({ "room_alias_name": "hub_dead" })).await?;
    let dead = dead["room_id"].as_str().context("a room id")?.to_owned();
    ghost.post(&format!("/rooms/{}/leave", dead.replace('!', "%21")), json!({})).await?;

    let id = stand.appservice.create_room(&room("dead")).await?;
    assert_ne!(id.as_str(), dead);
    assert_eq!(stand.appservice.create_room(&room("dead")).await?, id);
    assert_eq!(stand.bot()?.state(&part(&id), "m.room.name", "").await?["name"], "Fräse 42");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_is_explained() -> Result<()> {
    let stand = Stand::synapse().await?;
    let secret = "another-secret-0123";
    let config = HomeserverConfig { as_token: secret.to_owned(), ..stand.config.clone() };
    let registration = Registration { as_token: secret.to_owned(), ..stand.registration.clone() };
    let error =
        bootstrap(&config, &registration, &stand.admin).await.err().context("an unknown token was taken")?;
    let shown = format!("{:#}", anyhow::Error::from(error));
    assert!(shown.contains("app_service_config_files") && !shown.contains(secret), "{shown}");
    Ok(())
}

/// Conduit does not keep its Application Services apart.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_another_application_service_is_left_alone() -> Result<()> {
    let bridge = json!({
        "id": "bridge", "url": null, "as_token": "as_bridge", "hs_token": "hs_bridge", "sender_localpart": "bridge",
        "namespaces": { "users": [{ "exclusive": true, "regex": "^@irc-.*:hub\\.local$" }] },
    });
    let stand = Stand::synapse_with(vec![bridge.to_string()]).await?;
    stand.bootstrap().await?;
    let anna = Client::new(stand.server.url(), "as_bridge")?;
    anna.register("irc-anna", None).await?;
    for name in ["irc-anna", "irc-bert", "bridge"] {
        assert!(!stand.appservice.claim_account(&user(name)).await?, "{name}");
    }
    assert!(stand.appservice.claim_account(&user("anna")).await?);
    Ok(())
}

/// Of two processes at once Synapse answers the later one 409, while the room of the other has no members yet.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_processes_at_once_make_one_room() -> Result<()> {
    let stand = Stand::synapse().await?;
    let processes: Vec<_> =
        (0..20).map(|_| Appservice::new(stand.config.clone())).collect::<Result<_, _>>()?;
    let wanted = room("processes");
    let ids = try_join_all(processes.iter().map(|process| process.create_room(&wanted))).await?;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(stand.bot()?.joined_rooms().await?, [ids[0].as_str()]);
    Ok(())
}
