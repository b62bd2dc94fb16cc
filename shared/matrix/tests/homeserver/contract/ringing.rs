//! Phones: urgent notifications sound for every member, and nothing else that we send sounds by what is written in it.
//! The homeserver itself is asked, by what it has in store for a phone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_core::{
    id::{EventId, MatrixUserId, NotificationId, RoomId},
    notification::{Draft, Priority, Target},
    port::{ExternalAccounts, Homeserver},
    rendering,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    client::Client,
    gateway::Gateway,
    stand::{Stand, room, user},
};

/// A time limit for pushes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const RULE: &str = "/pushrules/global/override/com.aesystek.urgent";

/// A notification to everybody, that old push rules would ring for.
fn content(priority: Priority) -> Value {
    let draft = Draft {
        source_app: "fertigungs-app".to_owned(),
        event_type: "entity_event".to_owned(),
        title: "@room Anna, anna: CNC-01".to_owned(),
        body: None,
        target: Target::General,
        priority,
    };
    rendering::content(NotificationId(7), &draft, None)
}

/// The phone of a user, who has got a password for it.
enum Phone {
    /// Synapse keeps what it would push; it pushes to no address of this machine.
    Stored(Client),
    /// Conduit pushes.
    Pushed(Box<Gateway>),
}

impl Phone {
    async fn of(stand: &Stand, localpart: &str) -> Result<Self> {
        stand.passwords().set_password(&user(localpart), "a password").await?;
        let token = stand.server.login(localpart, "a password").await?;
        let client = Client::new(stand.server.url(), &token)?;
        if !stand.is_conduit() {
            return Ok(Self::Stored(client));
        }
        let gateway = Gateway::open().await?;
        client.post("/pushers/set", gateway.pusher()).await?;
        Ok(Self::Pushed(Box::new(gateway)))
    }

    /// Whether an event sounds, and whether it is highlighted.
    async fn hears(&mut self, event: &EventId) -> Result<(bool, bool)> {
        timeout(PATIENCE, self.told(event)).await.context("no push has come")?
    }

    async fn told(&mut self, event: &EventId) -> Result<(bool, bool)> {
        match self {
            Self::Stored(client) => loop {
                let stored = client.get("/notifications?limit=20").await?;
                let mut stored = stored["notifications"].as_array().into_iter().flatten();
                if let Some(one) = stored.find(|one| one["event"]["event_id"] == event.as_str()) {
                    let set = |tweak: &str| {
                        let actions = one["actions"].as_array().into_iter().flatten();
                        let mut tweaks = actions.filter(|action| action["set_tweak"] == tweak);
                        tweaks.any(|action| action.get("value") != Some(&json!(false)))
                    };
                    return Ok((set("sound"), set("highlight")));
                }
                sleep(Duration::from_millis(200)).await;
            },
            Self::Pushed(gateway) => loop {
                let push = gateway.next().await?;
                if push["event_id"] == event.as_str() {
                    let tweaks = &push["devices"][0]["tweaks"];
                    return Ok((tweaks["sound"] == "default", tweaks["highlight"] == true));
                }
            },
        }
    }
}

/// A room with these, who are in it before they have a phone.
async fn with(stand: &Stand, localparts: &[&str]) -> Result<RoomId> {
    let id = stand.appservice.create_room(&room("ringing")).await?;
    for localpart in localparts {
        stand.appservice.join(&id, &user(localpart)).await?;
    }
    Ok(id)
}

pub(crate) async fn an_urgent_notification_sounds_for_every_member(stand: Stand) -> Result<()> {
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    // Accounts of before this rule, with a phone and without.
    for old in ["bert", "carl"] {
        stand.bot()?.register(old, None).await?;
    }
    let id = with(&stand, &["anna", "bert", "carl"]).await?;
    stand.appservice.ensure_user(&user("carl"), "Carl").await?;
    let mut phones = Vec::new();
    for localpart in ["anna", "bert", "carl"] {
        phones.push((localpart, Phone::of(&stand, localpart).await?));
    }
    for (n, (priority, expected)) in
        [(Priority::Urgent, (true, true)), (Priority::Normal, (false, false))].into_iter().enumerate()
    {
        let event = stand.appservice.send(&id, &format!("ring.{n}"), &content(priority)).await?;
        for (localpart, phone) in &mut phones {
            let heard = phone.hears(&event).await.with_context(|| format!("{localpart}: {priority:?}"))?;
            ensure!(heard == expected, "{localpart}: {priority:?}: (sound, highlight) = {heard:?}");
        }
    }
    Ok(())
}

/// Only the bot is believed that something is urgent.
pub(crate) async fn nobody_else_makes_phones_sound(stand: Stand) -> Result<()> {
    for localpart in ["anna", "bert"] {
        stand.appservice.ensure_user(&user(localpart), localpart).await?;
    }
    let id = with(&stand, &["anna", "bert"]).await?;
    let mut phone = Phone::of(&stand, "anna").await?;
    let bert = stand.bot()?.acting_for("@bert:hub.local");
    let path = format!("/rooms/{}/send/m.room.message/loud", crate::stand::part(&id));
    let sent = bert.put(&path, content(Priority::Urgent)).await?;
    let event = EventId::new(sent["event_id"].as_str().context("an event id")?);
    assert_eq!(phone.hears(&event).await?, (false, false));
    Ok(())
}

/// Users may switch it off in the settings of their client.
pub(crate) async fn what_a_user_changes_about_the_rule_stays(stand: Stand) -> Result<()> {
    let anna: MatrixUserId = user("anna");
    let start = Instant::now();
    stand.appservice.ensure_user(&anna, "Anna").await?;
    let client = stand.bot()?.acting_for(anna.as_str());
    assert_eq!(client.get(RULE).await?["enabled"], true);
    client.put(&format!("{RULE}/enabled"), json!({ "enabled": false })).await?;
    stand.appservice.ensure_user(&anna, "Anna Müller").await?;
    stand.passwords().set_password(&anna, "a password").await?;
    assert_eq!(client.get(RULE).await?["enabled"], false, "after {:?}", start.elapsed());
    Ok(())
}
