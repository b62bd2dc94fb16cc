//! Accounts of the bot and of users.

use anyhow::Result;
use futures::future::try_join_all;
use messenger_core::port::{Accounts, MembershipCalls, RoomAdministration, Timeline};
use messenger_matrix::{Appservice, HomeserverConfig};
use serde_json::json;

use crate::fixture::{BOT, Fixture, room, text, user};

pub(crate) async fn a_second_bootstrap_changes_nothing(fixture: Fixture) -> Result<()> {
    let first = fixture.appservice.create_room(&room("before")).await?;
    fixture.bootstrap().await?;
    assert_eq!(fixture.appservice.create_room(&room("before")).await?, first);
    assert_eq!(fixture.bot()?.get(&format!("/profile/{BOT}")).await?["displayname"], "Messenger");
    let devices = fixture.bot()?.get("/devices").await?;
    assert_eq!(devices["devices"].as_array().map(Vec::len), Some(1), "{devices}");
    assert_eq!(devices["devices"][0]["device_id"], "HUB");
    Ok(())
}

pub(crate) async fn a_repeated_call_creates_one_account_and_updates_its_name(fixture: Fixture) -> Result<()> {
    let (anna, path) = (user("j=c3=bcrgen"), "/profile/@j=c3=bcrgen:hub.local/displayname");
    for name in ["Jürgen Müßig 🛠", "Jürgen Müßig 🛠", "J. Müßig", ""] {
        fixture.appservice.ensure_user(&anna, name).await?;
        let shown = fixture.bot()?.get(path).await?;
        assert_eq!(shown["displayname"].as_str().unwrap_or_default(), name);
    }
    fixture.appservice.ensure_user(&anna, &"ü".repeat(1000)).await?;
    assert_eq!(fixture.bot()?.get(path).await?["displayname"], "ü".repeat(256));
    let devices = fixture.bot()?.acting_for(anna.as_str()).get("/devices").await?;
    assert_eq!(devices["devices"][0]["device_id"], "HUB");
    Ok(())
}

pub(crate) async fn an_account_created_by_others_is_not_claimed(fixture: Fixture) -> Result<()> {
    let plain = fixture.person("mueller").await?;
    // They imitate the device, but cannot know its mark.
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
        assert!(!fixture.appservice.claim_account(&user("mueller")).await?);
    }
    let after = (plain.get("/devices").await?["devices"].as_array().map(Vec::len), plain.get(path).await?);
    assert_eq!(after, before);
    assert_eq!(plain.joined_rooms().await?, [""; 0]);
    Ok(())
}

pub(crate) async fn an_account_of_the_service_is_recognised(fixture: Fixture) -> Result<()> {
    let (anna, other) = (user("anna"), Appservice::new(fixture.config.clone())?);
    let claims: Vec<_> = (0..5).flat_map(|_| [&fixture.appservice, &other]).collect();
    let claims = try_join_all(claims.into_iter().map(|process| process.claim_account(&anna))).await?;
    assert!(claims.into_iter().all(|is_ours| is_ours));
    let acting = fixture.bot()?.acting_for(anna.as_str());
    let data = "/user/@anna:hub.local/account_data/com.aesystek.messenger.account";
    // The process was killed before it stored the second mark.
    acting.put(data, json!({})).await?;
    assert!(other.claim_account(&anna).await?);
    assert!(acting.get(data).await?["mark"].is_string());
    // The owner logged the device of the service out.
    acting.post("/logout/all", json!({})).await?;
    assert!(other.claim_account(&anna).await?);
    // The mark of one account is not valid for another.
    let mark = acting.get(data).await?;
    fixture.person("bert").await?.put(&data.replace("anna", "bert"), mark).await?;
    assert!(!other.claim_account(&user("bert")).await?);
    let stranger = HomeserverConfig { account_key: "another key".to_owned(), ..fixture.config.clone() };
    assert!(!Appservice::new(stranger)?.claim_account(&anna).await?);
    Ok(())
}

pub(crate) async fn a_missing_account_is_restored_by_the_next_call(fixture: Fixture) -> Result<()> {
    let id = fixture.appservice.create_room(&room("needed")).await?;
    // The homeserver was restored from a backup without the account.
    fixture.appservice.join(&id, &user("new")).await?;
    // The account lost its device.
    fixture.appservice.ensure_user(&user("old"), "Old").await?;
    fixture.bot()?.acting_for("@old:hub.local").post("/logout/all", json!({})).await?;
    fixture.appservice.join(&id, &user("old")).await?;
    for joined in ["@new:hub.local", "@old:hub.local"] {
        assert_eq!(fixture.bot()?.acting_for(joined).joined_rooms().await?, [id.as_str()]);
    }
    fixture.bot()?.post("/logout/all", json!({})).await?;
    fixture.appservice.send(&id, "after-logout", &text("after the logout")).await?;
    Ok(())
}
