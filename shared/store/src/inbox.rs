//! The inboxes of users: `inbox_marks` and `inbox_exceptions` beside the notifications.

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::Payload,
    id::{HubUserId, NotificationId, TenantId},
    inbox::{InboxEntry, InboxPage, InboxQuery, ReadEntries, ReadOutcome},
    notification::Priority,
    port::Inbox,
};
use tokio_postgres::types::ToSql;

use crate::{
    PgStore,
    message_search::patterns,
    notifications::row::{COUNT, columns, notification},
};

/// At least one row: the first columns are null if the page is empty.
const PAGE: &str = concat!(
    "with page as materialized (select * from inbox_page($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))
    select found.*, entry.is_read, page.is_reader, page.next_before, page.unread_count
    from page
    left join lateral unnest(page.ids, page.reads) as entry (number, is_read) on true
    left join lateral (select ",
    columns!(),
    " from notifications where notifications.id = entry.number) found on true
    order by entry.number desc"
);
const READ: &str = "select is_reader, is_known, unread_count from mark_inbox_read($1, $2, $3, $4, $5)";

#[async_trait]
impl Inbox for PgStore {
    async fn page(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        query: &InboxQuery,
    ) -> Result<Option<InboxPage>> {
        let before = query.before.map_or(i64::MAX, |before| before.0);
        let queue = query.entity_key(tenant).map(|key| key.to_string());
        let priority = query.priority.map(Priority::as_str);
        let words = query.text.as_ref().map(patterns);
        let parameters: [&(dyn ToSql + Sync); 10] = [
            &tenant.0,
            &user.as_str(),
            &before,
            &query.limit,
            &queue,
            &query.source_app,
            &priority,
            &query.since,
            &query.unread,
            &words,
        ];
        let rows = self.database.query("reading an inbox", PAGE, &parameters).await?;
        let Some(first) = rows.first().filter(|row| row.get(COUNT + 1)) else { return Ok(None) };
        let entries = rows
            .iter()
            .filter(|row| row.get::<_, Option<i64>>(0).is_some())
            .map(|row| Ok(InboxEntry { notification: notification(row)?, is_read: row.get(COUNT) }));
        Ok(Some(InboxPage {
            entries: entries.collect::<Result<_>>()?,
            next_before: first.get::<_, Option<i64>>(COUNT + 2).map(NotificationId),
            unread_count: first.get(COUNT + 3),
        }))
    }

    async fn read(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        read: &ReadEntries,
        payload: &Payload,
    ) -> Result<Option<ReadOutcome>> {
        let up_to = read.up_to.map(|id| id.0);
        let ids: Vec<_> = read.ids.iter().map(|id| id.0).collect();
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&tenant.0, &user.as_str(), &up_to, &ids, &payload.as_str()];
        let row = self.database.query_one("marking notifications as read", READ, &parameters).await?;
        Ok(match (row.get(0), row.get(1)) {
            (false, _) => None,
            (true, false) => Some(ReadOutcome::Unknown),
            (true, true) => Some(ReadOutcome::Read { unread_count: row.get(2) }),
        })
    }
}
