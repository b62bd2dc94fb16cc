//! Messages: ingested events, edits, and the right to read files.

mod content;

use async_trait::async_trait;
use messenger_core::{
    Result,
    admin::{Administrator, Redaction},
    alarm::{AlarmPart, EpisodeId},
    event::Kind,
    id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
    media::{Mxc, Posted},
    message::{REACTION_KEY_MAX, ReactionCount},
    port::{Change, Edit, IngestedEvent, Messages, NewReaction, RedactedEdit},
    search::fold,
    time::Rfc3339,
};
use serde_json::{Value, json};
use tokio_postgres::Row;

use crate::{PgStore, admin::ActParameters};

const INGEST: &str = "select ingest_events($1)";
const IS_INGESTED: &str = "select exists (select from event_keys where key = $1)";
const EDITS: &str = "select distinct on (event_id, sender) event_id, sender, content
    from message_edits where event_id = any($1)
    order by event_id, sender, edited_at desc, edit_event_id collate \"C\" desc";
const EDITS_IN: &str = "select distinct on (event_id, sender) event_id, sender, content, count(*) over ()
    from (
        select * from message_edits where matrix_room_id = $1 limit $2::bigint + 1
    ) edit
    order by event_id, sender, edited_at desc, edit_event_id collate \"C\" desc";
const WITHOUT: &str = "select redacted.event_id, last.edit_event_id, last.content
    from message_edits redacted
    left join lateral (
        select edit_event_id, content from message_edits other
        where other.event_id = redacted.event_id and other.sender = redacted.sender
          and other.edit_event_id <> redacted.edit_event_id
        order by edited_at desc, edit_event_id collate \"C\" desc limit 1
    ) last on true
    where redacted.tenant_id = $1 and redacted.matrix_room_id = $2 and redacted.edit_event_id = $3";
const REACTIONS: &str = "select event_id, key, users, is_own
    from (
        select event_id, key, count(distinct sender) as users, bool_or(sender = $3) as is_own,
            row_number() over (
                partition by event_id order by count(distinct sender) desc, min(received_at), key
            ) as place
        from reactions
        join unnest($1::text[], $2::text[]) as message (room, id)
          on reactions.event_id = message.id and reactions.matrix_room_id = message.room
        group by event_id, key
    ) counted
    where place <= $4 order by event_id, place";
const REACTIONS_OF: &str = "select reaction_event_id from reactions
    where event_id = $1 and key = $2 and sender = $3 and matrix_room_id = $4
    order by received_at, reaction_event_id";
const RECORD_REDACTION: &str = "select append_audit($1, $2, $3, $4, 'message.redact', $5, null, $6)";
const OWN: &str = "insert into media_owners (mxc, owner, since) values ($1, $2, '-infinity')
    on conflict (mxc) do update set owner = excluded.owner, since = excluded.since";
/// In a replaced room the members of its successor count; in a restricted one, those who had joined before
/// the message.
const POSTED: &str = "select media.filename, media.mimetype from media
    join media_owners file on file.mxc = media.mxc and file.owner = media.sender
    left join former_rooms former on former.matrix_room_id = media.matrix_room_id
    join room_members member on member.tenant_id = media.tenant_id and member.hub_user_id = $2
        and member.matrix_room_id = coalesce(former.current, media.matrix_room_id)
    left join rooms room on room.matrix_room_id = member.matrix_room_id
    where media.tenant_id = $1 and media.mxc = $3
      and (media.received_at > member.joined_at
           or not (coalesce(room.history_restricted, false) or coalesce(former.history_restricted, false)))
    limit 1";

#[async_trait]
impl Messages for PgStore {
    async fn ingest(&self, events: &[IngestedEvent]) -> Result<usize> {
        let batch: Vec<Value> = events.iter().enumerate().map(|(n, event)| wire(n, event)).collect();
        let row = self.database.query_one("ingesting events", INGEST, &[&Value::from(batch)]).await?;
        Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or_default())
    }

    async fn is_ingested(&self, event: &EventId) -> Result<bool> {
        Ok(self.database.query_one("looking for an event", IS_INGESTED, &[&event.as_str()]).await?.get(0))
    }

    async fn edits(&self, of: &[EventId]) -> Result<Vec<Edit>> {
        let ids: Vec<_> = of.iter().map(EventId::as_str).collect();
        let rows = self.database.query("reading edits", EDITS, &[&ids]).await?;
        Ok(rows.iter().filter_map(edit).collect())
    }

    async fn edits_in(&self, room: &RoomId, most: u32) -> Result<Option<Vec<Edit>>> {
        let rows = self
            .database
            .query("reading the edits of a room", EDITS_IN, &[&room.as_str(), &i64::from(most)])
            .await?;
        let are_few = rows.first().is_none_or(|row| row.get::<_, i64>(3) <= i64::from(most));
        Ok(are_few.then(|| rows.iter().filter_map(edit).collect()))
    }

    async fn without(&self, tenant: TenantId, room: &RoomId, edit: &EventId) -> Result<Option<RedactedEdit>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant.0, &room.as_str(), &edit.as_str()];
        let row = self.database.query_opt("looking for an edit", WITHOUT, &parameters).await?;
        Ok(row.map(|row| {
            let last = row.get::<_, Option<String>>(1).map(EventId::new);
            let content = row.get::<_, Option<Value>>(2).as_ref().and_then(content::from_json);
            RedactedEdit { of: EventId::new(row.get::<_, String>(0)), last: last.zip(content) }
        }))
    }

    async fn reactions(
        &self,
        of: &[(RoomId, EventId)],
        reader: &MatrixUserId,
        most: u32,
    ) -> Result<Vec<(EventId, ReactionCount)>> {
        let (rooms, ids): (Vec<_>, Vec<_>) = of.iter().map(|(room, id)| (room.as_str(), id.as_str())).unzip();
        let most = i64::from(most);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&rooms, &ids, &reader.as_str(), &most];
        let rows = self.database.query("reading reactions", REACTIONS, &parameters).await?;
        let reaction = |row: &Row| {
            let reaction = ReactionCount { key: row.get(1), count: row.get(2), is_own: row.get(3) };
            (EventId::new(row.get::<_, String>(0)), reaction)
        };
        Ok(rows.iter().map(reaction).collect())
    }

    async fn reactions_of(&self, reaction: NewReaction<'_>) -> Result<Vec<EventId>> {
        let NewReaction { room, of, sender, key } = reaction;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&of.as_str(), &key, &sender.as_str(), &room.as_str()];
        let rows = self.database.query("finding a reaction", REACTIONS_OF, &parameters).await?;
        Ok(rows.iter().map(|row| EventId::new(row.get::<_, String>(0))).collect())
    }

    async fn record_redaction(&self, administrator: &Administrator, redaction: Redaction<'_>) -> Result<()> {
        let ActParameters { actor, address, request_id } = administrator.into();
        let Redaction { room, message, sender, reason } = redaction;
        let after = json!({ "room_id": room, "sender": sender, "reason": reason });
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&administrator.tenant.0, &actor, &address, &request_id, &message.as_str(), &after];
        self.database.execute("recording a redaction", RECORD_REDACTION, &parameters).await?;
        Ok(())
    }

    async fn own(&self, file: &Mxc, owner: &MatrixUserId) -> Result<()> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&file.to_string(), &owner.as_str()];
        self.database.execute("storing the owner of a file", OWN, &parameters).await?;
        Ok(())
    }

    async fn posted(&self, tenant: TenantId, user: &HubUserId, file: &Mxc) -> Result<Option<Posted>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&tenant.0, &user.as_str(), &file.to_string()];
        let row = self.database.query_opt("looking for a file", POSTED, &parameters).await?;
        Ok(row.map(|row| Posted { filename: row.get(0), mimetype: row.get(1) }))
    }
}

fn edit(row: &Row) -> Option<Edit> {
    Some(Edit {
        of: EventId::new(row.get::<_, String>(0)),
        by: MatrixUserId::new(row.get::<_, String>(1)),
        content: content::from_json(&row.get::<_, Value>(2))?,
    })
}

/// Returns an event as `ingest_events` reads it.
fn wire(n: usize, event: &IngestedEvent) -> Value {
    let mut wire = json!({
        "n": n,
        "event_id": event.event_id,
        "tenant_id": event.tenant,
        "room": event.room,
        "sender": event.sender,
        "at": Rfc3339(event.timestamp),
        "kind": event.change.kind().map(Kind::as_str),
        "payload": event.payload.as_ref().map(messenger_core::event::Payload::as_str),
    });
    let change = match &event.change {
        Change::Message { by, summary, mentions, text, .. } => json!({
            "change": "message", "text": text, "folded": text.as_deref().map(fold), "hub_user": by, "summary": summary,
            "mentioned": Some(&mentions.users).filter(|users| !users.is_empty()), "mentions_room": mentions.room,
        }),
        Change::Edited { of, by, content } => {
            let text = content.searched_text();
            json!({
                "change": "edited", "of": of, "sender": by, "content": content::to_json(content),
                "summary": content.summary(), "folded": fold(&text), "text": text,
            })
        }
        Change::Redacted { of } => json!({ "change": "redacted", "of": of }),
        Change::RedactedEdit { edit } => json!({ "change": "redacted_edit", "of": edit }),
        Change::Reaction { of, key } => {
            let is_short = key.chars().count() <= REACTION_KEY_MAX;
            json!({ "change": "reaction", "of": of, "key": is_short.then_some(key) })
        }
        Change::Joined(user) => json!({ "change": "joined", "hub_user": user }),
        Change::Left(user) => json!({ "change": "left", "hub_user": user }),
        Change::Named(name) => json!({ "change": "named", "summary": name }),
        Change::Topic(topic) => json!({ "change": "topic", "summary": topic }),
    };
    let file = event.change.file().map_or_else(
        || json!({}),
        |file| json!({ "mxc": file.mxc.to_string(), "filename": file.filename, "mimetype": file.mimetype }),
    );
    let alarm = event.alarm.as_ref().map_or_else(|| json!({}), alarm_of);
    for fields in [change, file, alarm] {
        if let (Value::Object(wire), Value::Object(fields)) = (&mut wire, fields) {
            wire.extend(fields);
        }
    }
    wire
}

/// Returns the fields of the part of an event in an alarm.
fn alarm_of(part: &AlarmPart) -> Value {
    match part {
        AlarmPart::Message(EpisodeId { alarm, episode }) => json!({ "alarm": alarm, "episode": episode }),
        AlarmPart::Input(alarm, input) => {
            let operator = input.source.operator();
            json!({
                "alarm": alarm,
                "episode": input.expected.episode,
                "action": input.action.kind().as_str(),
                "source": input.source.event(),
                "operator": operator.map(|operator| &operator.id),
                "operator_name": operator.map(|operator| &operator.display_name),
                "comment": input.comment,
            })
        }
    }
}
