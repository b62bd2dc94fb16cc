//! Accounts: the bot's and those of people.

use anyhow::Result;
use futures::future::try_join_all;
use messenger_core::port::Homeserver;
use messenger_matrix::{Appservice, HomeserverConfig};
use serde_json::json;

use crate::stand::{BOT, Stand, room, text, user};

pub(crate) async fn bootstrapping_again_changes_nothing(stand: Stand) -> Result<()> {
    let first = stand.appservice.create_room(&room("before")).await?;
    stand.bootstrap().await?;
    assert_eq!(stand.appservice.create_room(&room("before")).await?, first);
    assert_eq!(stand.bot()?.get(&format!("/profile/{BOT}")).await?["displayname"], "Messenger");
    let devices = stand.bot()?.get("/devices").await?;
    assert_eq!(devices["devices"].as_array().map(Vec::len), Some(1), "{devices}");
    assert_eq!(devices["devices"][0]["device_id"], "HUB");
    Ok(())
}

pub(crate) async fn an_account_is_made_once_and_follows_its_name(stand: Stand) -> Result<()> {
    let (anna, path) = (user("j=c3=bcrgen"), "/profile/@j=c3=bcrgen:hub.local/displayname");
    for name in ["Jürgen Müßig 🛠", "Jürgen Müßig 🛠", "J. Müßig", ""] {
        stand.appservice.ensure_user(&anna, name).await?;
        let shown = stand.bot()?.get(path).await?;
        assert_eq!(shown["displayname"].as_str().unwrap_or_default(), name);
    }
    stand.appservice.ensure_user(&anna, &"ü".repeat(1000)).await?;
    assert_eq!(stand.bot()?.get(path).await?["displayname"], "ü".repeat(256));
    let devices = stand.bot()?.acting_for(anna.as_str()).get("/devices").await?;
    assert_eq!(devices["devices"][0]["device_id"], "HUB");
    Ok(())
}

pub(crate) async fn an_account_that_somebody_else_made_is_left_alone(stand: Stand) -> Result<()> {
    let plain = stand.person("mueller").await?;
    // They know how our device is called, and not the mark.
    let login = json!({
        "type": "m.login.password", "identifier": { "type": "m.id.user", "user": "mueller" }, "password": "pw",
        "device_id": "HUB", "initial_device_display_name": "Messenger-Service 0123456789abcdef0123456789abcdef",
    });
    let url = format!("{}/_matrix/client/v3/login", plain.url);
    plain.http.post(url).json(&login).send().await?.error_for_status()?;
    let data = "/user/@mueller:hub.local/account_data/com.aesystek.messenger.account";
    plain.put(data, json!({ "mark": "0123456789abcdef0123456789abcdef" })).await?;
    let path = "/profile/@mueller:hub.local";
    let before = (plain.get("/devices").await?["devices"].as_array().map(Vec::len), plain.get(path).await?);
    for _ in 0..2 {
        assert!(!stand.appservice.claim_account(&user("mueller")).await?);
    }
    let after = (plain.get("/devices").await?["devices"].as_array().map(Vec::len), plain.get(path).await?);
    assert_eq!(after, before);
    assert_eq!(plain.joined_rooms().await?, [""; 0]);
    Ok(())
}

pub(crate) async fn an_account_that_we_made_is_recognised(stand: Stand) -> Result<()> {
    let (anna, other) = (user("anna"), Appservice::new(stand.config.clone())?);
    let claims: Vec<_> = (0..5).flat_map(|_| [&stand.appservice, &other]).collect();
    let claims = try_join_all(claims.into_iter().map(|process| process.claim_account(&anna))).await?;
    assert!(claims.into_iter().all(|is_ours| is_ours));
    let acting = stand.bot()?.acting_for(anna.as_str());
    let data = "/user/@anna:hub.local/account_data/com.aesystek.messenger.account";
    // As if the process had ended between the two marks.
    acting.put(data, json!({})).await?;
    assert!(other.claim_account(&anna).await?);
    assert!(acting.get(data).await?["mark"].is_string());
    // Its owner has logged our device out.
    acting.post("/logout/all", json!({})).await?;
    assert!(other.claim_account(&anna).await?);
    // The mark of one account is none for another.
    let mark = acting.get(data).await?;
    stand.person("bert").await?.put(&data.replace("anna", "bert"), mark).await?;
    assert!(!other.claim_account(&user("bert")).await?);
    let stranger = HomeserverConfig { account_key: "another key".to_owned(), ..stand.config.clone() };
    assert!(!Appservice::new(stranger)?.claim_account(&anna).await?);
    Ok(())
}

pub(crate) async fn an_account_that_is_gone_comes_back_when_it_is_needed(stand: Stand) -> Result<()> {
    let id = stand.appservice.create_room(&room("needed")).await?;
    // Never made here: the homeserver was restored from before it existed.
    stand.appservice.join(&id, &user("new")).await?;
    // Made, and robbed of its device.
    stand.appservice.ensure_user(&user("old"), "Old").await?;
    stand.bot()?.acting_for("@old:hub.local").post("/logout/all", json!({})).await?;
    stand.appservice.join(&id, &user("old")).await?;
    for joined in ["@new:hub.local", "@old:hub.local"] {
        assert_eq!(stand.bot()?.acting_for(joined).joined_rooms().await?, [id.as_str()]);
    }
    stand.bot()?.post("/logout/all", json!({})).await?;
    stand.appservice.send(&id, "after-logout", &text("still here")).await?;
    Ok(())
}
