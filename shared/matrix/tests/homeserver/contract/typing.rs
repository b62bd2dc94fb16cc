//! Who types: said in the name of users, and heard by the reader of the homeserver's stream.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_core::{
    error::Failure,
    id::{MatrixUserId, RoomId},
    port::{Homeserver, MembershipCalls, Timeline},
    typing::Typing,
};
use messenger_matrix::wire::parse_typing;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    client::Client,
    stand::{Stand, failure, part, room, text, user},
};

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const LONG: Option<Duration> = Some(Duration::from_secs(30));

/// A room with Anna, who is one of ours, and Bert with an ordinary client.
async fn with_both(stand: &Stand) -> Result<(RoomId, Client)> {
    let bert = stand.person("bert").await?;
    let id = stand.appservice.create_room(&room("typing")).await?;
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    for name in ["anna", "bert"] {
        stand.appservice.join(&id, &user(name)).await?;
    }
    Ok((id, bert))
}

/// What an ordinary client is shown, as it reads on. (Homeservers answer the same `/sync` with the same for a while.)
struct Shown<'a> {
    client: &'a Client,
    room: &'a RoomId,
    since: String,
    users: Vec<MatrixUserId>,
}

impl<'a> Shown<'a> {
    async fn to(client: &'a Client, room: &'a RoomId) -> Result<Self> {
        let sync = client.get("/sync?timeout=0").await?;
        let since = sync["next_batch"].as_str().context("a position")?.to_owned();
        Ok(Self { client, room, since, users: Vec::new() })
    }

    /// Waits until it is exactly these; for how long it was something else.
    async fn until(&mut self, expected: &[MatrixUserId]) -> Result<Duration> {
        let start = Instant::now();
        while self.users != expected {
            ensure!(start.elapsed() < PATIENCE, "{:?} type", self.users);
            let mut sync = self.client.get(&format!("/sync?timeout=1000&since={}", self.since)).await?;
            sync["next_batch"].as_str().context("a position")?.clone_into(&mut self.since);
            let passing = sync["rooms"]["join"][self.room.as_str()]["ephemeral"]["events"].take();
            let mut typing = passing.as_array().into_iter().flatten();
            if let Some(typing) = typing.find_map(|event| parse_typing(event, Some(self.room))) {
                self.users = typing.users;
            }
        }
        Ok(start.elapsed())
    }
}

/// What is told of who types in a room, from this position on. Leaves the position behind it.
async fn told(stand: &Stand, position: &mut String) -> Result<Typing> {
    let start = Instant::now();
    loop {
        let changes = stand.appservice.changes(Some(position), PATIENCE).await?;
        *position = changes.next;
        ensure!(changes.typing.len() < 2, "{:?}", changes.typing);
        if let Some(typing) = changes.typing.into_iter().next() {
            return Ok(typing);
        }
        ensure!(start.elapsed() < PATIENCE, "nothing is told");
    }
}

fn typing(is: bool) -> Value {
    json!({ "typing": is, "timeout": 30_000 })
}

pub(crate) async fn plain_clients_see_who_types_here(stand: Stand) -> Result<()> {
    let (id, bert) = with_both(&stand).await?;
    let mut shown = Shown::to(&bert, &id).await?;
    for (lasting, expected) in [(LONG, vec![user("anna")]), (None, vec![])] {
        for _ in 0..2 {
            stand.appservice.set_typing(&id, &user("anna"), lasting).await?;
        }
        shown.until(&expected).await?;
    }
    Ok(())
}

pub(crate) async fn typing_that_is_not_renewed_ends(stand: Stand) -> Result<()> {
    let (id, bert) = with_both(&stand).await?;
    let mut shown = Shown::to(&bert, &id).await?;
    stand.appservice.set_typing(&id, &user("anna"), Some(Duration::from_secs(3))).await?;
    shown.until(&[user("anna")]).await?;
    let lasted = shown.until(&[]).await?;
    ensure!(lasted > Duration::from_secs(1), "{lasted:?}");
    Ok(())
}

pub(crate) async fn a_waiting_reader_is_told_who_types_elsewhere(stand: Stand) -> Result<()> {
    let (id, bert) = with_both(&stand).await?;
    let event = stand.appservice.send(&id, "n1", &text("read me")).await?;
    let mut position = stand.appservice.changes(None, Duration::ZERO).await?.next;
    // Neither receipts nor presence are let through, nor taken for it.
    let receipt = format!("/rooms/{}/receipt/m.read/{}", part(&id), event.as_str().replace('$', "%24"));
    bert.post(&receipt, json!({})).await?;
    bert.put("/presence/@bert:hub.local/status", json!({ "presence": "online" })).await?;
    let path = format!("/rooms/{}/typing/@bert:hub.local", part(&id));
    for (is, users) in [(true, vec![user("bert")]), (false, vec![])] {
        let waiting = told(&stand, &mut position);
        let types = async {
            sleep(Duration::from_millis(300)).await;
            bert.put(&path, typing(is)).await
        };
        let (told, done) = tokio::join!(waiting, types);
        done?;
        assert_eq!(told?, Typing { room: id.clone(), users });
    }
    let changes = stand.appservice.changes(Some(&position), Duration::ZERO).await?;
    assert_eq!(changes.typing, [], "what was told is not told again");
    Ok(())
}

pub(crate) async fn nobody_types_in_a_room_that_they_are_not_in(stand: Stand) -> Result<()> {
    let (id, _) = with_both(&stand).await?;
    stand.appservice.ensure_user(&user("carl"), "Carl").await?;
    let refused = stand.appservice.set_typing(&id, &user("carl"), LONG).await;
    assert_eq!(failure(refused).context("Conduit and Synapse refuse")?, Failure::Rejected);
    Ok(())
}
