//! The push rule of urgent notifications: which events make a phone sound, according to the homeserver.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_core::{
    id::{EventId, MatrixUserId, NotificationId, RoomId},
    notification::{Draft, Priority, Target},
    port::{Accounts, ExternalAccounts, MembershipCalls, RoomAdministration, Timeline},
    rendering,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    client::Client,
    fixture::{Fixture, room, segment, user},
    gateway::Gateway,
};

/// A time limit for pushes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const RULE: &str = "/pushrules/global/override/com.aesystek.urgent";

/// Returns a notification to everybody. Old push rules would ring for its text.
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

/// The phone of a user.
enum Phone {
    /// Reads the stored notifications: Synapse does not push to addresses of this machine.
    Stored(Client),
    /// Receives the pushes of Conduit.
    Pushed(Box<Gateway>),
}

impl Phone {
    /// Sets a password and logs the user's phone in.
    async fn of(fixture: &Fixture, localpart: &str) -> Result<Self> {
        fixture.passwords().set_password(&user(localpart), "a password").await?;
        let token = fixture.server.login(localpart, "a password").await?;
        let client = Client::new(fixture.server.url(), &token)?;
        if !fixture.is_conduit() {
            return Ok(Self::Stored(client));
        }
        let gateway = Gateway::open().await?;
        client.post("/pushers/set", gateway.pusher()).await?;
        Ok(Self::Pushed(Box::new(gateway)))
    }

    /// Waits for the push of an event. Returns whether it sounds and whether it is highlighted.
    async fn receives(&mut self, event: &EventId) -> Result<(bool, bool)> {
        timeout(PATIENCE, self.push_of(event)).await.context("no push arrived")?
    }

    async fn push_of(&mut self, event: &EventId) -> Result<(bool, bool)> {
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

/// Creates a room and joins users who have no phone yet.
async fn with(fixture: &Fixture, localparts: &[&str]) -> Result<RoomId> {
    let id = fixture.appservice.create_room(&room("push_rules")).await?;
    for localpart in localparts {
        fixture.appservice.join(&id, &user(localpart)).await?;
    }
    Ok(id)
}

pub(crate) async fn an_urgent_notification_sounds_for_every_member(fixture: Fixture) -> Result<()> {
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    // Accounts from before the rule exists.
    for old in ["bert", "carl"] {
        fixture.bot()?.register(old, None).await?;
    }
    let id = with(&fixture, &["anna", "bert", "carl"]).await?;
    fixture.appservice.ensure_user(&user("carl"), "Carl").await?;
    let mut phones = Vec::new();
    for localpart in ["anna", "bert", "carl"] {
        phones.push((localpart, Phone::of(&fixture, localpart).await?));
    }
    for (n, (priority, expected)) in
        [(Priority::Urgent, (true, true)), (Priority::Normal, (false, false))].into_iter().enumerate()
    {
        let event = fixture.appservice.send(&id, &format!("ring.{n}"), &content(priority)).await?;
        for (localpart, phone) in &mut phones {
            let push = phone.receives(&event).await.with_context(|| format!("{localpart}: {priority:?}"))?;
            ensure!(push == expected, "{localpart}: {priority:?}: (sound, highlight) = {push:?}");
        }
    }
    Ok(())
}

/// The rule requires the bot as sender.
pub(crate) async fn an_urgent_message_of_another_sender_makes_no_sound(fixture: Fixture) -> Result<()> {
    for localpart in ["anna", "bert"] {
        fixture.appservice.ensure_user(&user(localpart), localpart).await?;
    }
    let id = with(&fixture, &["anna", "bert"]).await?;
    let mut phone = Phone::of(&fixture, "anna").await?;
    let bert = fixture.bot()?.acting_for("@bert:hub.local");
    let path = format!("/rooms/{}/send/m.room.message/loud", segment(&id));
    let sent = bert.put(&path, content(Priority::Urgent)).await?;
    let event = EventId::new(sent["event_id"].as_str().context("an event id")?);
    assert_eq!(phone.receives(&event).await?, (false, false));
    Ok(())
}

/// A user can disable the rule in the settings of their client.
pub(crate) async fn a_users_change_of_the_push_rule_is_kept(fixture: Fixture) -> Result<()> {
    let anna: MatrixUserId = user("anna");
    let start = Instant::now();
    fixture.appservice.ensure_user(&anna, "Anna").await?;
    let client = fixture.bot()?.acting_for(anna.as_str());
    assert_eq!(client.get(RULE).await?["enabled"], true);
    client.put(&format!("{RULE}/enabled"), json!({ "enabled": false })).await?;
    fixture.appservice.ensure_user(&anna, "Anna Müller").await?;
    fixture.passwords().set_password(&anna, "a password").await?;
    assert_eq!(client.get(RULE).await?["enabled"], false, "after {:?}", start.elapsed());
    Ok(())
}

pub(crate) async fn a_muted_room_has_a_silent_rule_until_it_is_unmuted(fixture: Fixture) -> Result<()> {
    let id = fixture.appservice.create_room(&room("silent")).await?;
    let anna = user("anna");
    fixture.appservice.ensure_user(&anna, "Anna").await?;
    let bot = fixture.bot()?;
    let path = format!("/pushrules/global/room/{}", segment(&id));
    let client = bot.acting_for("@anna:hub.local");
    for _ in 0..2 {
        fixture.appservice.silence(&id, &anna, true).await?;
        assert_eq!(client.get(&path).await?["actions"], json!([]));
    }
    for _ in 0..2 {
        fixture.appservice.silence(&id, &anna, false).await?;
        assert!(client.get(&path).await.is_err(), "the rule is gone");
    }
    Ok(())
}
