//! Acts of administrators on many notifications.

use async_trait::async_trait;
use messenger_core::{
    Result,
    admin::{
        Administrator,
        notifications::{ActResult, BulkBeginning, BulkProgress, BulkRequest},
    },
    id::NotificationId,
    notification::HELD_FOR,
    port::BulkActs,
};
use serde_json::Value;

use crate::{
    PgStore,
    admin::{
        ActParameters,
        notification_search::{CANDIDATES, Search},
        notifications::result,
    },
    pool::seconds,
};

/// The number of notifications that a transaction changes.
const CHUNK: i64 = 200;
const ACTING: &str = "changing many notifications";

const FIND: &str = "select action = $4 and filter = $5, upto_id, next_id, total, changed, skipped
    from bulk_acts where tenant_id = $1 and actor = $2 and key = $3";
const BEGIN: &str = "insert into bulk_acts (tenant_id, actor, key, action, filter, upto_id, next_id, total)
    values ($1, $2, $3, $4, $5, $6, 0, $7)
    on conflict do nothing";
const STEP: &str = "select id, status, changed from step_bulk_act($1, $2, $3, $4, $5, $6, $7, $8, $9)";

#[async_trait]
impl BulkActs for PgStore {
    async fn find(
        &self,
        administrator: &Administrator,
        request: &BulkRequest,
    ) -> Result<Option<BulkBeginning>> {
        let Administrator { actor, tenant, .. } = administrator;
        let row = self
            .database
            .query_opt(
                ACTING,
                FIND,
                &[&tenant.0, &actor.as_str(), &request.key, &request.act.action(), &filter(request)],
            )
            .await?;
        Ok(row.map(|row| {
            if !row.get::<_, bool>(0) {
                return BulkBeginning::OtherAct;
            }
            BulkBeginning::Progress(BulkProgress {
                upto: NotificationId(row.get(1)),
                next: NotificationId(row.get(2)),
                total: row.get(3),
                changed: row.get(4),
                skipped: row.get(5),
            })
        }))
    }

    async fn begin(
        &self,
        administrator: &Administrator,
        request: &BulkRequest,
        upto: NotificationId,
    ) -> Result<()> {
        let Administrator { actor, tenant, .. } = administrator;
        self.database
            .execute(
                ACTING,
                BEGIN,
                &[
                    &tenant.0,
                    &actor.as_str(),
                    &request.key,
                    &request.act.action(),
                    &filter(request),
                    &upto.0,
                    &request.expected,
                ],
            )
            .await?;
        Ok(())
    }

    async fn step(
        &self,
        administrator: &Administrator,
        request: &BulkRequest,
        progress: &BulkProgress,
    ) -> Result<Vec<ActResult>> {
        let (tenant, by) = (administrator.tenant, ActParameters::from(administrator));
        let range = (progress.next.0, progress.upto.0);
        let search = Search::oldest(tenant, &request.filter, range, CHUNK);
        let row = self.database.query_one(ACTING, CANDIDATES, &search.parameters()).await?;
        let (ids, searched): (Vec<i64>, Option<i64>) = (row.get(0), row.get(1));
        let next = searched.unwrap_or(progress.upto.0) + 1;
        let rows = self
            .database
            .query(
                ACTING,
                STEP,
                &[
                    &request.key,
                    &progress.next.0,
                    &next,
                    &ids,
                    &seconds(HELD_FOR),
                    &tenant.0,
                    &by.actor,
                    &by.address,
                    &by.request_id,
                ],
            )
            .await?;
        rows.iter().map(result).collect()
    }
}

/// Returns a filter in the form in which it is stored.
fn filter(request: &BulkRequest) -> Value {
    serde_json::to_value(&request.filter).unwrap_or_default()
}
