//! The search in messages: `message_texts`, which `ingest_events` keeps.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{EventId, HubUserId, MatrixUserId, RoomId, SearchPosition, TenantId},
    port::MessageSearch,
    search::{FoundMessage, FoundMessages, MessageQuery, SearchTerms},
};
use serde_json::Value;
use tokio_postgres::{Row, types::ToSql};

use crate::{PgStore, pool::seconds};

/// At least one row: the first columns are null if the page is empty.
const SEARCH: &str = "with page as materialized (select * from search_messages($1, $2, $3, $4, $5, $6, $7))
    select found.event_id, found.matrix_room_id, entry.current, found.sender, found.sent_at, found.text,
        page.is_member, page.next_before
    from page
    left join lateral unnest(page.ids, page.currents) as entry (id, current) on true
    left join message_texts found on found.id = entry.id
    order by entry.id desc";
const TIDY: &str = "select tidy_message_texts($1 * interval '1 second')";

#[async_trait]
impl MessageSearch for PgStore {
    async fn search(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        query: &MessageQuery,
    ) -> Result<Option<FoundMessages>> {
        let room = query.room.as_ref().map(RoomId::as_str);
        let sender = query.sender.as_ref().map(MatrixUserId::as_str);
        let before = query.before.map_or(i64::MAX, |before| before.0);
        let parameters: [&(dyn ToSql + Sync); 7] =
            [&tenant.0, &user.as_str(), &patterns(&query.terms), &room, &sender, &before, &query.limit];
        let rows = self.database.query("searching messages", SEARCH, &parameters).await?;
        let Some(first) = rows.first().filter(|row| row.get(6)) else { return Ok(None) };
        Ok(Some(FoundMessages {
            messages: rows.iter().filter_map(found).collect(),
            next_before: first.get::<_, Option<i64>>(7).map(SearchPosition),
        }))
    }

    async fn tidy(&self, retention: Duration) -> Result<()> {
        self.database.execute("tidying the search", TIDY, &[&seconds(retention)]).await.map(drop)
    }
}

/// Returns the spellings of each word as patterns of `like`.
pub(crate) fn patterns(terms: &SearchTerms) -> Value {
    let pattern = |spelling: &String| {
        let mut pattern = String::from("%");
        for c in spelling.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern + "%"
    };
    terms.words().iter().map(|word| word.iter().map(pattern).collect::<Value>()).collect()
}

/// Returns `None` for the row of an empty page, and for a message that was deleted meanwhile.
fn found(row: &Row) -> Option<FoundMessage> {
    Some(FoundMessage {
        event_id: EventId::new(row.get::<_, Option<String>>(0)?),
        room: RoomId::new(row.get::<_, String>(1)),
        current_room: RoomId::new(row.get::<_, String>(2)),
        sender: MatrixUserId::new(row.get::<_, String>(3)),
        timestamp: row.get(4),
        text: row.get(5),
    })
}
