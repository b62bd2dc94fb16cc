//! Notifications: accepting, finding and listing them.

pub(crate) mod row;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{NotificationId, TenantId},
    notification::{AcceptOutcome, LogQuery, NewNotification, Notification},
    port::Notifications,
};

use crate::PgStore;
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
const INSTALLATION: &str = "select id from installation";

#[async_trait]
impl Notifications for PgStore {
    async fn accept(&self, entry: NewNotification) -> Result<AcceptOutcome> {
        self.acceptor().await.accept(entry).await
    }

    async fn find(&self, tenant: TenantId, id: NotificationId) -> Result<Option<Notification>> {
        row::find(&self.database, tenant, id).await
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
