//! Read receipts: what people have read with other Matrix clients is read here, too.
//!
//! A receipt moves a read position forward, never back. It may name any event of the room: one that is no known message
//! (a change of the room, something older, or a message that has not arrived here yet) is looked up at the homeserver
//! once, in the background, and counts for the messages before it. Receipts of threads other than `main` are passed over,
//! since they say nothing of the rest of the room.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::sleep;

use crate::{
    Messenger, Result,
    id::{EventId, MatrixUserId, RoomId},
    port::ReadUpTo,
};

/// Most receipts of one call of the database.
const BATCH: usize = 200;
/// When events are looked up that are no known message; the second time is for messages that arrive late.
const LOOK_AFTER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(5)];
/// When pushed receipts that could not be stored are tried again.
const TRY_AFTER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15), Duration::from_mins(1)];
/// The number of events that are looked at before such an event.
const EVENTS_BEFORE: u32 = 50;
/// The receipts that mean a place in the room (Matrix specification, "Receipts").
const TYPES: [&str; 2] = ["m.read", "m.read.private"];

/// Somebody has read a room up to an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The room.
    pub room: RoomId,
    /// The user.
    pub user: MatrixUserId,
    /// The last event that they have read.
    pub event: EventId,
}

impl Receipt {
    /// Reads an ephemeral event. `room` is where it is if the event itself does not say it, as in `/sync`. Empty if it is
    /// any other event.
    pub fn read(event: &Value, room: Option<&RoomId>) -> Vec<Self> {
        if event.get("type").and_then(Value::as_str) != Some("m.receipt") {
            return Vec::new();
        }
        let named = event.get("room_id").and_then(Value::as_str).map(RoomId::new);
        let Some(room) = named.or_else(|| room.cloned()) else { return Vec::new() };
        let events = event.get("content").and_then(Value::as_object).into_iter().flatten();
        let of_event = |(event, types): (&String, &Value)| {
            let users = TYPES.into_iter().filter_map(|one| types.get(one)?.as_object()).flatten();
            let users = users.filter(|(_, receipt)| is_of_the_room(receipt)).map(|(user, _)| user);
            users
                .map(|user| Self {
                    room: room.clone(),
                    user: MatrixUserId::new(user.as_str()),
                    event: EventId::new(event.as_str()),
                })
                .collect::<Vec<_>>()
        };
        let mut receipts: Vec<_> = events.flat_map(of_event).collect();
        // No id has U+0000, and no database looks for it.
        receipts.retain(|receipt| {
            let ids = [receipt.room.as_str(), receipt.user.as_str(), receipt.event.as_str()];
            !ids.into_iter().any(|id| id.contains('\0'))
        });
        receipts
    }
}

/// Whether a receipt is unthreaded or of the main timeline.
fn is_of_the_room(receipt: &Value) -> bool {
    matches!(receipt.get("thread_id").and_then(Value::as_str), None | Some("main"))
}

impl Messenger {
    /// Takes receipts over: moves the read positions of our users, and tells their devices. Costs one call of the
    /// database for all of them, and none for those that were taken over a moment ago.
    ///
    /// # Errors
    /// When the database fails. Call again with the same receipts.
    pub async fn hear_receipts(&self, receipts: &[Receipt]) -> Result<()> {
        let mut seen = HashSet::new();
        let new =
            receipts.iter().filter(|receipt| seen.insert(*receipt) && self.receipts.get(receipt).is_none());
        let ours: Vec<_> = new.filter_map(|receipt| Some((self.read_by(receipt)?, receipt))).collect();
        for batch in ours.chunks(BATCH) {
            let read: Vec<_> = batch.iter().map(|(read, _)| read.clone()).collect();
            let unknown = self.room_views.read_up_to(&read).await?;
            for (_, receipt) in batch {
                self.receipts.put((*receipt).clone(), ());
            }
            let unknown: Vec<_> = unknown.into_iter().filter_map(|n| read.get(n).cloned()).collect();
            if !unknown.is_empty() {
                let messenger = self.clone();
                self.background.spawn(async move { messenger.look_up(unknown).await });
            }
        }
        Ok(())
    }

    /// The same for receipts that were pushed, which no homeserver repeats: if the database fails, it is tried again in the
    /// background.
    pub async fn hear_pushed_receipts(&self, receipts: Vec<Receipt>) {
        let Err(error) = self.hear_receipts(&receipts).await else { return };
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "receipts cannot be stored; trying again");
        let messenger = self.clone();
        self.background.spawn(async move {
            for pause in TRY_AFTER {
                sleep(pause).await;
                if messenger.hear_receipts(&receipts).await.is_ok() {
                    return;
                }
            }
        });
    }

    /// Returns `None` for somebody of another server, and for the bot.
    fn read_by(&self, receipt: &Receipt) -> Option<ReadUpTo> {
        let localpart = receipt.user.localpart(&self.settings.server_name)?;
        (localpart != self.settings.bot_localpart).then(|| ReadUpTo {
            room: receipt.room.clone(),
            localpart: localpart.to_owned(),
            events: vec![receipt.event.clone()],
        })
    }

    /// Takes receipts over whose events are no known messages, by the messages before these events.
    async fn look_up(&self, unknown: Vec<ReadUpTo>) {
        for pause in LOOK_AFTER {
            sleep(pause).await;
            if let Err(error) = self.read_before(&unknown).await {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(error, "receipts whose events are unknown are not taken over");
            }
        }
    }

    async fn read_before(&self, unknown: &[ReadUpTo]) -> Result<()> {
        let mut known = Vec::with_capacity(unknown.len());
        for receipt in unknown {
            let Some(event) = receipt.events.first() else { continue };
            match self.events_up_to(&receipt.room, event).await {
                Ok(events) => known.push(ReadUpTo { events: events.to_vec(), ..receipt.clone() }),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(%event, error, "looking up the event of a receipt failed");
                }
            }
        }
        self.room_views.read_up_to(&known).await.map(drop)
    }

    /// Many readers name the same event: the homeserver is asked once.
    async fn events_up_to(&self, room: &RoomId, event: &EventId) -> Result<Arc<[EventId]>> {
        if let Some(known) = self.events_before.get(event) {
            return Ok(known);
        }
        let events: Arc<[EventId]> = self.timeline.up_to(room, event, EVENTS_BEFORE).await?.into();
        self.events_before.put(event.clone(), events.clone());
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn receipt(event: &str, user: &str) -> Receipt {
        Receipt { room: RoomId::new("!1"), user: MatrixUserId::new(user), event: EventId::new(event) }
    }

    #[test]
    fn receipts_of_the_main_timeline_are_read_whatever_stands_beside_them() {
        let event = json!({ "type": "m.receipt", "room_id": "!1", "content": {
            "$1": { "m.read": { "@a:b": { "ts": 7 }, "@c:b": { "thread_id": "main" } } },
            "$2": { "m.read.private": { "@a:b": {} }, "m.fully_read": { "@d:b": {} } },
            "$3": { "m.read": { "@a:b": { "thread_id": "$root" }, "@e:b": { "ts": "odd", "thread_id": null } } },
            "$4": { "m.read": { "@a\u{0}:b": {} } },
            "$5": 7,
            "$6": { "m.read": [] },
        } });
        let mut read = Receipt::read(&event, None);
        read.sort_by_key(|one| (one.event.to_string(), one.user.to_string()));
        let expected =
            [receipt("$1", "@a:b"), receipt("$1", "@c:b"), receipt("$2", "@a:b"), receipt("$3", "@e:b")];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_receipt_of_sync_gets_its_room_from_outside() {
        let event = json!({ "type": "m.receipt", "content": { "$1": { "m.read": { "@a:b": {} } } } });
        assert_eq!(Receipt::read(&event, Some(&RoomId::new("!1"))), [receipt("$1", "@a:b")]);
        assert_eq!(Receipt::read(&event, None), []);
        for strange in
            [json!(null), json!({ "type": "m.typing", "content": {} }), json!({ "type": "m.receipt" })]
        {
            assert_eq!(Receipt::read(&strange, Some(&RoomId::new("!1"))), []);
        }
    }
}
