//! Typing notifications: sent for users, and received by `/sync`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_core::{
    error::Failure,
    id::{MatrixUserId, RoomId},
    port::{Accounts, EphemeralEvents, MembershipCalls, RoomAdministration, Timeline},
    typing::Typing,
};
use messenger_matrix::wire::parse_typing;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    client::Client,
    fixture::{Fixture, failure, room, segment, text, user},
};

/// A time limit for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const LONG: Option<Duration> = Some(Duration::from_secs(30));

/// Creates a room with Anna, a user of this service, and Bert, who uses another client.
async fn with_both(fixture: &Fixture) -> Result<(RoomId, Client)> {
    let bert = fixture.person("bert").await?;
    let id = fixture.appservice.create_room(&room("typing")).await?;
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    for name in ["anna", "bert"] {
        fixture.appservice.join(&id, &user(name)).await?;
    }
    Ok((id, bert))
}

/// The typing users that another client sees. It syncs on, because homeservers cache the response to a
/// `/sync`.
struct TypingView<'a> {
    client: &'a Client,
    room: &'a RoomId,
    since: String,
    users: Vec<MatrixUserId>,
}

impl<'a> TypingView<'a> {
    async fn open(client: &'a Client, room: &'a RoomId) -> Result<Self> {
        let sync = client.get("/sync?timeout=0").await?;
        let since = sync["next_batch"].as_str().context("a position")?.to_owned();
        Ok(Self { client, room, since, users: Vec::new() })
    }

    /// Waits until exactly these users type. Returns the waiting time.
    async fn until(&mut self, expected: &[MatrixUserId]) -> Result<Duration> {
        let start = Instant::now();
        while self.users != expected {
            ensure!(start.elapsed() < PATIENCE, "{:?} type", self.users);
            let mut sync = self.client.get(&format!("/sync?timeout=1000&since={}", self.since)).await?;
            sync["next_batch"].as_str().context("a position")?.clone_into(&mut self.since);
            let ephemeral = sync["rooms"]["join"][self.room.as_str()]["ephemeral"]["events"].take();
            let mut typing = ephemeral.as_array().into_iter().flatten();
            if let Some(typing) = typing.find_map(|event| parse_typing(event, Some(self.room))) {
                self.users = typing.users;
            }
        }
        Ok(start.elapsed())
    }
}

/// Waits for the next typing notification after the position, and advances the position.
async fn next_typing(fixture: &Fixture, position: &mut String) -> Result<Typing> {
    let start = Instant::now();
    loop {
        let changes = fixture.appservice.changes(Some(position), PATIENCE).await?;
        *position = changes.next;
        ensure!(changes.typing.len() < 2, "{:?}", changes.typing);
        if let Some(typing) = changes.typing.into_iter().next() {
            return Ok(typing);
        }
        ensure!(start.elapsed() < PATIENCE, "no typing notification was received");
    }
}

fn typing(is_typing: bool) -> Value {
    json!({ "typing": is_typing, "timeout": 30_000 })
}

pub(crate) async fn other_clients_receive_typing_of_our_users(fixture: Fixture) -> Result<()> {
    let (id, bert) = with_both(&fixture).await?;
    let mut view = TypingView::open(&bert, &id).await?;
    for (lasting, expected) in [(LONG, vec![user("anna")]), (None, vec![])] {
        for _ in 0..2 {
            fixture.appservice.set_typing(&id, &user("anna"), lasting).await?;
        }
        view.until(&expected).await?;
    }
    Ok(())
}

pub(crate) async fn typing_ends_without_renewal(fixture: Fixture) -> Result<()> {
    let (id, bert) = with_both(&fixture).await?;
    let mut view = TypingView::open(&bert, &id).await?;
    fixture.appservice.set_typing(&id, &user("anna"), Some(Duration::from_secs(3))).await?;
    view.until(&[user("anna")]).await?;
    let lasted = view.until(&[]).await?;
    ensure!(lasted > Duration::from_secs(1), "{lasted:?}");
    Ok(())
}

pub(crate) async fn a_waiting_sync_receives_typing_of_other_clients(fixture: Fixture) -> Result<()> {
    let (id, bert) = with_both(&fixture).await?;
    let event = fixture.appservice.send(&id, "n1", &text("read me")).await?;
    let mut position = fixture.appservice.changes(None, Duration::ZERO).await?.next;
    // Receipts and presence are not mistaken for typing.
    let receipt = format!("/rooms/{}/receipt/m.read/{}", segment(&id), event.as_str().replace('$', "%24"));
    bert.post(&receipt, json!({})).await?;
    bert.put("/presence/@bert:hub.local/status", json!({ "presence": "online" })).await?;
    let path = format!("/rooms/{}/typing/@bert:hub.local", segment(&id));
    for (is_typing, users) in [(true, vec![user("bert")]), (false, vec![])] {
        let waiting = next_typing(&fixture, &mut position);
        let types = async {
            sleep(Duration::from_millis(300)).await;
            bert.put(&path, typing(is_typing)).await
        };
        let (received, done) = tokio::join!(waiting, types);
        done?;
        assert_eq!(received?, Typing { room: id.clone(), users });
    }
    let changes = fixture.appservice.changes(Some(&position), Duration::ZERO).await?;
    assert_eq!(changes.typing, [], "a typing notification is received once");
    Ok(())
}

pub(crate) async fn typing_of_a_non_member_is_refused(fixture: Fixture) -> Result<()> {
    let (id, _) = with_both(&fixture).await?;
    fixture.appservice.ensure_user(&user("carl"), "Carl").await?;
    let refused = fixture.appservice.set_typing(&id, &user("carl"), LONG).await;
    assert_eq!(failure(refused).context("Conduit and Synapse refuse")?, Failure::Rejected);
    Ok(())
}
