//! Notifications: accepting, finding and listing them.

pub(crate) mod row;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{NotificationId, TenantId},
    notification::{AcceptOutcome, DeliveryHistory, FailedAttempt, LogQuery, NewNotification, Notification},
    port::Notifications,
};

use crate::{PgStore, accept};
use row::{READING, columns, notification};

const LOG: &str = concat!(
    "select ",
    columns!(),
    " from notifications where tenant_id between $1 and $1 order by tenant_id desc, id desc limit $2 offset $3"
);
const LOG_OF_APP: &str = concat!(
    "select ",
    columns!(),
    " from notifications where (tenant_id, source_app) >= ($1, $4) and (tenant_id, source_app) <= ($1, $4)
    order by tenant_id desc, source_app desc, id desc limit $2 offset $3"
);
const HISTORY: &str = concat!(
    "select ",
    columns!(),
    ", announced_at, sent_at from notifications where tenant_id = $1 and id = $2"
);
/// The latest ones: an outage of a week has thousands.
const FAILURES: &str = "select attempt, failed_at, reason, detail, next_attempt_at
    from delivery_failures where notification_id = $1 order by id desc limit 200";
const INSTALLATION: &str = "select id from installation";

#[async_trait]
impl Notifications for PgStore {
    async fn accept(&self, entry: NewNotification) -> Result<AcceptOutcome> {
        if entry.options.administrator.is_some() {
            return accept::alone(&self.database, entry).await;
        }
        self.acceptor().await.accept(entry).await
    }

    async fn accept_all(&self, entries: Vec<NewNotification>) -> Vec<Result<AcceptOutcome>> {
        self.acceptor().await.accept_all(entries).await
    }

    async fn find(&self, tenant: TenantId, id: NotificationId) -> Result<Option<Notification>> {
        row::find(&self.database, tenant, id).await
    }

    async fn history(&self, tenant: TenantId, id: NotificationId) -> Result<Option<DeliveryHistory>> {
        let Some(row) = self.database.query_opt(READING, HISTORY, &[&tenant.0, &id.0]).await? else {
            return Ok(None);
        };
        let mut failures = self.database.query("reading failed attempts", FAILURES, &[&id.0]).await?;
        failures.reverse();
        let failures = failures.iter().map(|row| FailedAttempt {
            attempt: row.get(0),
            failed_at: row.get(1),
            reason: row.get(2),
            detail: row.get(3),
            next_attempt_at: row.get(4),
        });
        Ok(Some(DeliveryHistory {
            notification: notification(&row)?,
            announced_at: row.get("announced_at"),
            sent_at: row.get("sent_at"),
            failures: failures.collect(),
        }))
    }

    async fn log(&self, tenant: TenantId, query: &LogQuery) -> Result<Vec<Notification>> {
        let rows = match &query.source_app {
            Some(app) => {
                self.database
                    .query(READING, LOG_OF_APP, &[&tenant.0, &query.limit, &query.offset, app])
                    .await?
            }
            None => self.database.query(READING, LOG, &[&tenant.0, &query.limit, &query.offset]).await?,
        };
        rows.iter().map(notification).collect()
    }

    async fn installation(&self) -> Result<String> {
        Ok(self.database.query_one("reading the installation id", INSTALLATION, &[]).await?.get(0))
    }
}
