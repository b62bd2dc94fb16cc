//! The administration of users.

use std::fmt::Write as _;

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Error, Result,
    admin::{Administrator, ExpectedVersions, UserRecord, UserRecordQuery},
    id::{HubUserId, TenantId},
    port::{AdminUsers, GivenName},
    user::{Account, Role},
};
use tokio_postgres::{Row, types::ToSql};

use crate::{
    PgStore,
    admin::ActParameters,
    users::{columns, user},
};

/// The columns that [`record`] reads, in this order.
macro_rules! record_columns {
    () => {
        concat!(columns!(), ", is_renamed, search_name, version, created_at, last_seen_at")
    };
}

/// Finds the page in an index, and reads only its users. Filters follow.
const LIST: &str = concat!(
    "select ",
    record_columns!(),
    " from (
        select hub_user_id, search_name as sorted_by from users
        where tenant_id = $1 and (search_name collate \"C\", hub_user_id) > ($2, $3)"
);
const CONTAINING: &str = " and (position($5 in search_name) > 0 or position($5 in search_id) > 0)";
const BY_NAME: &str = "
        order by search_name collate \"C\", hub_user_id limit $4
    ) page join users using (hub_user_id)
    order by sorted_by collate \"C\", hub_user_id";
const FIND: &str =
    concat!("select ", record_columns!(), " from users where tenant_id = $1 and hub_user_id = $2");
const RENAME: &str = concat!(
    "select ",
    record_columns!(),
    ", is_expected from admin_rename_user($1, $2, $3, $4, $5, $6, $7, $8) act
    cross join lateral (select (act.stored).*) stored_user"
);
const SET_EXTERNAL_ACCESS: &str = concat!(
    "select ",
    record_columns!(),
    ", is_expected, generation from admin_set_external_access($1, $2, $3, $4, $5, $6, $7) act
    cross join lateral (select (act.stored).*) stored_user"
);
const LOG_OUT: &str = concat!(
    "select ",
    record_columns!(),
    ", is_expected, generation from admin_log_user_out($1, $2, $3, $4, $5, $6, $7) act
    cross join lateral (select (act.stored).*) stored_user"
);
/// Leaves users out whose row is locked, so that it never waits for a request, nor a request for it.
const SEEN: &str = "update users set last_seen_at = now() where hub_user_id in (
        select hub_user_id from users where hub_user_id = any($1) for no key update skip locked)
    returning hub_user_id";

#[async_trait]
impl AdminUsers for PgStore {
    async fn list(&self, tenant: TenantId, query: &UserRecordQuery) -> Result<Vec<UserRecord>> {
        let (name, id) = query.after.as_ref().map_or(("", ""), |after| (&after.name, &after.id));
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&tenant.0, &name, &id, &query.limit];
        if !query.text.is_empty() {
            parameters.push(&query.text);
        }
        let rows = self.database.query("listing users", &list(query), &parameters).await?;
        Ok(rows.iter().map(record).collect())
    }

    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<UserRecord>> {
        let row = self.database.query_opt("finding a user", FIND, &[&tenant.0, &user.as_str()]).await?;
        Ok(row.as_ref().map(record))
    }

    async fn rename(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
        name: Option<&GivenName>,
    ) -> Result<UserRecord> {
        let (name, search_name) =
            (name.map(|name| name.display_name.as_str()), name.map(|name| name.search_name.as_str()));
        let row = self.act("renaming a user", RENAME, (by, user, expected), &[&name, &search_name]).await?;
        Ok(record(&row))
    }

    async fn log_out(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
        at: Timestamp,
    ) -> Result<(UserRecord, Option<i64>)> {
        let row = self.act("logging a user out", LOG_OUT, (by, user, expected), &[&at]).await?;
        Ok((record(&row), row.get("generation")))
    }

    async fn seen(&self, users: &[HubUserId]) -> Result<Vec<HubUserId>> {
        let ids: Vec<_> = users.iter().map(HubUserId::as_str).collect();
        let rows = self.database.query("storing when users called", SEEN, &[&ids]).await?;
        Ok(rows.iter().map(|row| HubUserId::new(row.get::<_, String>(0))).collect())
    }
}

impl PgStore {
    /// Enables or disables external access. Returns the generation of the revocation.
    pub(crate) async fn set_external_access(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
        enabled: bool,
    ) -> Result<Option<i64>> {
        let context = if enabled { "enabling external access" } else { "disabling external access" };
        let row = self.act(context, SET_EXTERNAL_ACCESS, (by, user, expected), &[&enabled]).await?;
        Ok(row.get("generation"))
    }

    /// Executes an act of an administrator on a user. `values` follow the parameters that all acts have.
    async fn act(
        &self,
        context: &'static str,
        sql: &str,
        (by, user, expected): (&Administrator, &HubUserId, &ExpectedVersions),
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row> {
        let (tenant, by, user) = (by.tenant.0, ActParameters::from(by), user.as_str());
        let mut parameters: Vec<&(dyn ToSql + Sync)> =
            vec![&tenant, &by.actor, &by.address, &by.request_id, &user, &expected.0];
        parameters.extend(values);
        let row = self.database.query_opt(context, sql, &parameters).await?.ok_or(Error::NotFound("user"))?;
        if row.get("is_expected") {
            Ok(row)
        } else {
            Err(Error::VersionMismatch { version: row.get("version") })
        }
    }
}

/// Returns the statement of a list. Filters stand in it as constants, so that the planner knows how many
/// users they match.
fn list(query: &UserRecordQuery) -> String {
    let mut sql = LIST.to_owned();
    let mut filter = |text: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _ = sql.write_fmt(text);
    };
    match query.role {
        None => {}
        Some(Role::Admin | Role::SuperAdmin) => filter(format_args!(" and role in ('admin', 'super_admin')")),
        Some(role) => filter(format_args!(" and role = '{}'", role.as_str())),
    }
    match query.account {
        None => {}
        Some(Account::Ours) => filter(format_args!(" and account_state = 'ours'")),
        // The index of the few users without an account has this condition.
        Some(account) => {
            filter(format_args!(" and account_state <> 'ours' and account_state = '{}'", account.as_str()));
        }
    }
    match query.external {
        None => {}
        Some(true) => filter(format_args!(" and external_client_enabled")),
        Some(false) => filter(format_args!(" and not external_client_enabled")),
    }
    if !query.text.is_empty() {
        sql.push_str(CONTAINING);
    }
    sql.push_str(BY_NAME);
    sql
}

/// Reads a row of [`record_columns!`].
fn record(row: &Row) -> UserRecord {
    UserRecord {
        user: user(row),
        is_renamed: row.get("is_renamed"),
        search_name: row.get("search_name"),
        version: row.get("version"),
        created_at: row.get("created_at"),
        last_seen_at: row.get("last_seen_at"),
    }
}
