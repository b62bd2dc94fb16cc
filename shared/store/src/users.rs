//! Users: sign-in, search, and Matrix accounts to be provisioned.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{HubUserId, TenantId},
    lease::Lease,
    name::fold,
    port::{UserWatcher, Users},
    room::{RoomKey, RoomKind},
    user::{Account, Identity, Role, User, UserQuery, UserSummary},
};
use tokio_postgres::Row;

use crate::{PgStore, pool::seconds};

/// The columns that [`user`] reads, in this order.
macro_rules! columns {
    () => {
        "hub_user_id, tenant_id, hub_name, role, localpart, external_client_enabled, account_due is null,
            account_state, token_issued_at, display_name, logged_out_at"
    };
}
pub(crate) use columns;

const SIGN_IN: &str = concat!("select ", columns!(), " from sign_in($1, $2, $3, $4, $5, $6, $7, $8, $9)");
const FIND: &str = concat!("select ", columns!(), " from users where tenant_id = $1 and hub_user_id = $2");
const IN_ANY_TENANT: &str = concat!("select ", columns!(), " from users where hub_user_id = $1");
/// An account that another party created belongs to no user.
const BY_LOCALPARTS: &str =
    concat!("select ", columns!(), " from users where localpart = any($1) and account_state = 'ours'");
/// Users whose name or id begins with the text, first by name, then by id. Reads a range of each index; `$5`
/// is its end.
const BEGINNING: &str = "select hub_user_id, display_name, localpart from (
        (select 1 as rank, search_name as sorted_by, hub_user_id, display_name, localpart from users
         where tenant_id = $1 and hub_user_id <> $2
           and search_name collate \"C\" >= $3 and search_name collate \"C\" < $5
         order by search_name collate \"C\", hub_user_id limit $4)
        union all
        (select 2, search_id, hub_user_id, display_name, localpart from users
         where tenant_id = $1 and hub_user_id <> $2
           and search_id collate \"C\" >= $3 and search_id collate \"C\" < $5 and not starts_with(search_name, $3)
         order by search_id collate \"C\" limit $4)
    ) found
    order by rank, sorted_by collate \"C\", hub_user_id limit $4";
/// Users whose name or id contains the text elsewhere, by name.
const CONTAINING: &str = "select hub_user_id, display_name, localpart from users
    where tenant_id = $1 and hub_user_id <> $2
      and (position($3 in search_name) > 0 or position($3 in search_id) > 0)
      and not starts_with(search_name, $3) and not starts_with(search_id, $3)
    order by search_name collate \"C\", hub_user_id limit $4";
/// Sorts after every character: appended to a prefix, it ends the range of the prefix.
const LAST: char = char::MAX;
/// Fair between tenants: the newest and the oldest due account of each tenant come first, then the second
/// newest and second oldest, and so on. The order between tenants is random, so that a claim of one account
/// is fair as well. Reads for each tenant as many index entries as are claimed.
const CLAIM_DUE: &str = concat!(
    "with recursive tenant (id) as (
        (select tenant_id from users where account_due is not null order by tenant_id limit 1)
        union all
        select (select tenant_id from users where account_due is not null and tenant_id > tenant.id
                order by tenant_id limit 1)
        from tenant where tenant.id is not null
    ), candidate as materialized (
        select due.hub_user_id, min(due.rank) as rank
        from tenant cross join lateral (
            (select hub_user_id, row_number() over (order by account_due desc) as rank from users
             where tenant_id = tenant.id and account_due <= now() and account_lease <= now()
             order by account_due desc limit $2)
            union all
            (select hub_user_id, row_number() over (order by account_due) as rank from users
             where tenant_id = tenant.id and account_due <= now() and account_lease <= now()
             order by account_due limit $2)
        ) due
        group by due.hub_user_id
    )
    update users set account_lease = now() + $1 * interval '1 second'
    where hub_user_id in (
        select users.hub_user_id from candidate join users using (hub_user_id)
        where users.account_due <= now() and users.account_lease <= now()
        order by candidate.rank, random() limit $2 for update of users skip locked)
    returning ",
    columns!()
);
const PROVISIONED: &str = "update users
    set account_attempts = 0, account_lease = '-infinity',
        account_due = case when tenant_id = $2 and display_name = $3 then null else now() end
    where hub_user_id = $1";
const SEARCHING: &str = "searching users";
const RECORD_ACCOUNT: &str = "update users
    set account_state = case when account_state = 'ours' then 'ours' else $3 end,
        account_due = case when account_state <> 'ours' and $3 = 'taken' then now() + $4 * interval '1 second'
                           else account_due end,
        account_attempts = case when $3 = 'taken' then 0 else account_attempts end,
        account_lease = case when $3 = 'taken' then '-infinity' else account_lease end
    where hub_user_id = $1 and localpart = $2
    returning account_state";
const POSTPONE: &str = "update users
    set account_due = now() + least(300, 2 ^ least(account_attempts, 9)) * interval '1 second',
        account_attempts = account_attempts + 1, account_lease = '-infinity'
    where hub_user_id = $1";

#[async_trait]
impl Users for PgStore {
    async fn sign_in(&self, identity: &Identity, localpart: &str) -> Result<User> {
        let id = &identity.hub_user_id;
        let dm = RoomKey { tenant: identity.tenant, kind: RoomKind::BotDm { user: id.clone() } }.to_string();
        let (search_name, search_id) = (fold(&identity.display_name), fold(id.as_str()));
        let row = self
            .database
            .query_one(
                "signing a user in",
                SIGN_IN,
                &[
                    &id.as_str(),
                    &identity.tenant.0,
                    &localpart,
                    &identity.display_name,
                    &identity.role.as_str(),
                    &search_name,
                    &search_id,
                    &dm,
                    &identity.issued_at,
                ],
            )
            .await?;
        Ok(user(&row))
    }

    async fn find(&self, tenant: TenantId, id: &HubUserId) -> Result<Option<User>> {
        let row = self.database.query_opt("finding a user", FIND, &[&tenant.0, &id.as_str()]).await?;
        Ok(row.as_ref().map(user))
    }

    async fn in_any_tenant(&self, id: &HubUserId) -> Result<Option<User>> {
        let row = self.database.query_opt("finding a user", IN_ANY_TENANT, &[&id.as_str()]).await?;
        Ok(row.as_ref().map(user))
    }

    async fn with_localparts(&self, localparts: &[String]) -> Result<Vec<User>> {
        let rows = self.database.query("finding users", BY_LOCALPARTS, &[&localparts]).await?;
        Ok(rows.iter().map(user).collect())
    }

    async fn search(&self, tenant: TenantId, query: &UserQuery) -> Result<Vec<UserSummary>> {
        let (except, text, end) = (query.except.as_str(), &query.text, format!("{}{LAST}", query.text));
        let mut rows = self
            .database
            .query(SEARCHING, BEGINNING, &[&tenant.0, &except, text, &query.limit, &end])
            .await?;
        let missing = query.limit - i64::try_from(rows.len()).unwrap_or(query.limit);
        if missing > 0 && !text.is_empty() {
            rows.extend(
                self.database.query(SEARCHING, CONTAINING, &[&tenant.0, &except, text, &missing]).await?,
            );
        }
        Ok(rows
            .iter()
            .map(|row| UserSummary {
                hub_user_id: HubUserId::new(row.get::<_, String>(0)),
                display_name: row.get(1),
                localpart: row.get(2),
            })
            .collect())
    }

    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<User>> {
        let rows = self.database.query("claiming accounts", CLAIM_DUE, &[&seconds(lease), &limit]).await?;
        Ok(rows.iter().map(user).collect())
    }

    async fn provisioned(&self, user: &User) -> Result<()> {
        let identity = &user.identity;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&identity.hub_user_id.as_str(), &identity.tenant.0, &user.display_name];
        self.database.execute("storing that an account is provisioned", PROVISIONED, &parameters).await?;
        Ok(())
    }

    async fn postpone(&self, user: &HubUserId) -> Result<()> {
        self.database.execute("postponing an account", POSTPONE, &[&user.as_str()]).await?;
        Ok(())
    }

    async fn record_account(
        &self,
        user: &User,
        account: Account,
        look_again: Duration,
    ) -> Result<Lease<Account>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&user.id().as_str(), &user.localpart, &account.as_str(), &seconds(look_again)];
        let row =
            self.database.query_opt("storing the state of an account", RECORD_ACCOUNT, &parameters).await?;
        Ok(row.map_or(Lease::Lost, |row| Lease::Held(Account::parse(row.get(0)))))
    }

    fn watch(&self, watcher: Arc<dyn UserWatcher>) {
        self.listener.watch(&watcher);
    }
}

/// Reads a row of [`columns!`].
pub(crate) fn user(row: &Row) -> User {
    let role: &str = row.get(3);
    User {
        identity: Identity {
            hub_user_id: HubUserId::new(row.get::<_, String>(0)),
            tenant: TenantId(row.get(1)),
            display_name: row.get(2),
            // A stored role is also a role of the Hub, which maps to itself.
            role: Role::from_hub(role),
            issued_at: row.get(8),
        },
        localpart: row.get(4),
        external_client_enabled: row.get(5),
        provisioned: row.get(6),
        account: Account::parse(row.get(7)),
        display_name: row.get(9),
        logged_out_at: row.get(10),
    }
}
