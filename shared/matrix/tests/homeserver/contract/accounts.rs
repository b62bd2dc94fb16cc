//! Accounts: the bot's and those of people.

use anyhow::Result;
use messenger_core::port::Homeserver;
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

pub(crate) async fn an_account_that_somebody_else_made_is_ours_too(stand: Stand) -> Result<()> {
    let plain = stand.person("mueller").await?;
    stand.appservice.ensure_user(&user("mueller"), "Müller").await?;
    let id = stand.appservice.create_room(&room("plain")).await?;
    stand.appservice.join(&id, &user("mueller")).await?;
    // Their own client stays logged in.
    assert_eq!(plain.joined_rooms().await?, [id.as_str()]);
    assert_eq!(plain.get("/profile/@mueller:hub.local").await?["displayname"], "Müller");
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
