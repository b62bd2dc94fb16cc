//! Typing notifications: received from the homeserver, published to the members of the room, and sent for a caller.
//!
//! Each ephemeral event is the whole list of those who type in the room now, so the last one is what counts. The
//! homeserver ends the typing of whoever does not renew it, and tells so; should it die before that, readers drop the
//! list after [`TYPING_FADES`].

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    Messenger, Result,
    ephemeral::EphemeralEvent,
    event::Audience,
    id::{HubUserId, MatrixUserId, RoomId, TenantId},
    message::People,
    room::Action,
    user::Caller,
};

/// After so much silence about a room nobody types in it any more, for a reader. Homeservers do not repeat a list that
/// stays the same, so this is longer than one renewal.
pub const TYPING_FADES: Duration = Duration::from_mins(1);
/// Most people that one ephemeral event names.
const NAMED_MAX: usize = 20;
/// What cannot be told within this time is not worth telling any more.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// Who types in a room now, according to the homeserver (Matrix specification, "Typing Notifications").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub room: RoomId,
    /// Everybody who does; empty: nobody any more.
    pub users: Vec<MatrixUserId>,
}

/// The event as people get it.
#[derive(Serialize)]
struct TypingPayload<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    room_id: &'a RoomId,
    users: &'a [Typist],
    timeout_ms: u128,
}

/// Somebody who types, in the form of a [`Member`](crate::room::Member).
#[derive(Serialize)]
struct Typist {
    matrix_user_id: MatrixUserId,
    /// `None` for somebody who is no user of this tenant.
    hub_user_id: Option<HubUserId>,
    display_name: String,
}

impl Typing {
    /// Reads an ephemeral event. `room` is where it is if the event itself does not say it, as in `/sync`. `None` if it
    /// is any other event, or none.
    pub fn read(event: &Value, room: Option<&RoomId>) -> Option<Self> {
        if event.get("type")? != "m.typing" {
            return None;
        }
        let room = event.get("room_id").and_then(Value::as_str).map(RoomId::new).or_else(|| room.cloned())?;
        let ids = event.pointer("/content/user_ids")?.as_array()?;
        let users: Vec<_> = ids.iter().map(|id| id.as_str().map(MatrixUserId::new)).collect::<Option<_>>()?;
        // No id has U+0000, and no database looks for it.
        let legible = !room.as_str().contains('\0') && users.iter().all(|user| !user.as_str().contains('\0'));
        legible.then_some(Self { room, users })
    }
}

impl Messenger {
    /// Publishes the typing notifications of rooms to their members, of each room the last one. Drops those that cannot
    /// be published, and those of rooms that are not ours.
    pub async fn hear_typing(&self, typing: Vec<Typing>) {
        if typing.is_empty() {
            return;
        }
        match timeout(PUBLISH_TIMEOUT, self.publish_typing(typing)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "who types is not told");
            }
            Err(_) => tracing::debug!("who types is not told in time"),
        }
    }

    async fn publish_typing(&self, typing: Vec<Typing>) -> Result<()> {
        let bot = self.bot();
        let mut rooms = BTreeMap::new();
        for Typing { room, mut users } in typing {
            // Homeservers name them in any order; the same people are to be the same list.
            users.sort_unstable();
            users.dedup();
            users.retain(|user| *user != bot);
            users.truncate(NAMED_MAX);
            rooms.insert(room, users);
        }
        let mut ours = Vec::with_capacity(rooms.len());
        for (room, users) in rooms {
            if let Some(tenant) = self.tenant_of(&room).await? {
                ours.push((tenant, room, users));
            }
        }
        let people = self.people(ours.iter().flat_map(|(_, _, users)| users)).await?;
        let events =
            ours.into_iter().map(|(tenant, room, users)| typing_event(tenant, &room, users, &people));
        let events = events.collect::<Result<Vec<_>>>()?;
        if events.is_empty() { Ok(()) } else { self.ephemeral_bus.publish(&events).await }
    }

    /// The caller types in a room for so long, unless they say it again; or (`None`) does not any more. They must be a
    /// member of the room and may write. The homeserver tells everybody, us among them.
    pub async fn type_in(&self, caller: &Caller, room: &RoomId, lasting: Option<Duration>) -> Result<()> {
        self.check_may_write(caller, room).await?;
        match self.membership_calls.set_typing(room, &self.matrix_id(&caller.user), lasting).await {
            Err(error) => Err(self.explain(caller, room, &caller.user, Action::Other, error).await),
            Ok(()) => Ok(()),
        }
    }
}

/// Names as many as there is space for.
fn typing_event(
    tenant: TenantId,
    room: &RoomId,
    users: Vec<MatrixUserId>,
    people: &People,
) -> Result<EphemeralEvent> {
    let mut typists: Vec<_> = users
        .into_iter()
        .map(|user| Typist {
            hub_user_id: people
                .get(&user)
                .filter(|known| known.tenant() == tenant)
                .map(|known| known.id().clone()),
            display_name: people.name(&user),
            matrix_user_id: user,
        })
        .collect();
    loop {
        let typing_event = TypingPayload {
            kind: "typing",
            room_id: room,
            users: &typists,
            timeout_ms: TYPING_FADES.as_millis(),
        };
        match EphemeralEvent::new(Audience::Room(tenant, room.clone()), &typing_event) {
            Err(_) if typists.pop().is_some() => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_whole_list_of_who_types_is_read() {
        let room = RoomId::new("!1");
        let event =
            |room: &str| json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": ["@a:b"] } });
        let here = Typing { room: room.clone(), users: vec![MatrixUserId::new("@a:b")] };
        assert_eq!(Typing::read(&event("!1"), None), Some(here.clone()));
        let in_sync = json!({ "type": "m.typing", "content": { "user_ids": ["@a:b"] } });
        assert_eq!(Typing::read(&in_sync, Some(&room)), Some(here));
        let nobody = json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": [] } });
        assert_eq!(Typing::read(&nobody, None), Some(Typing { room, users: Vec::new() }));
        for strange in [
            in_sync,
            event("!\0"),
            json!(null),
            json!("m.typing"),
            json!({ "type": "m.receipt", "room_id": "!1", "content": { "user_ids": ["@a:b"] } }),
            json!({ "type": "m.presence", "sender": "@a:b", "content": { "presence": "online" } }),
            json!({ "type": "m.typing", "room_id": "!1" }),
            json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": "@a:b" } }),
            json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": ["@a:b", 7] } }),
            json!({ "type": "m.typing", "room_id": "!1", "content": { "user_ids": ["@a\u{0}:b"] } }),
        ] {
            assert_eq!(Typing::read(&strange, None), None, "{strange}");
        }
    }
}
