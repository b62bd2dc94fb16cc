//! Access with other Matrix clients: the permitted users, and their encrypted passwords.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Error, Result,
    admin::{Administrator, ExpectedVersions},
    external::{Access, Sealed},
    id::{HubUserId, TenantId},
    lease::Lease,
    port::ExternalAccess,
    user::User,
};

use crate::{PgStore, pool::seconds, users};

const FIND: &str = "select access.generation, access.key_id, access.password, access.applied
    from users join external_access access using (hub_user_id)
    where users.tenant_id = $1 and hub_user_id = $2 and users.external_client_enabled";
const ALLOWED: &str = concat!(
    "select ",
    users::columns!(),
    " from users where external_client_enabled and hub_user_id > $1 order by hub_user_id limit $2"
);
const STORE: &str = "update external_access access
    set generation = generation + 1, key_id = $3, password = $4, applied = false
    from users where users.hub_user_id = access.hub_user_id and users.external_client_enabled
      and access.hub_user_id = $1 and generation = $2 and (revoke_due is null or lease_until <= now())
    returning generation";
const APPLIED: &str = "update external_access access set applied = true, revoke_due = null
    from users where users.hub_user_id = access.hub_user_id and users.external_client_enabled
      and access.hub_user_id = $1 and generation = $2";
const CLAIM: &str = concat!(
    "with claimed as (
        update external_access set lease_until = now() + $1 * interval '1 second'
        where hub_user_id in (
            select hub_user_id from external_access where revoke_due <= now() and lease_until <= now()
            order by revoke_due limit $2 for update skip locked)
        returning hub_user_id, generation)
    select ",
    users::columns!(),
    ", generation from users join claimed using (hub_user_id)"
);
/// A revocation under the lease of another caller is returned without being claimed.
const CLAIM_ONE: &str = "with wanted as (
        select hub_user_id, lease_until <= now() as is_free from external_access
        where hub_user_id = $1 and revoke_due is not null for update
    )
    update external_access access
    set lease_until = case when is_free then now() + $2 * interval '1 second' else lease_until end
    from wanted where access.hub_user_id = wanted.hub_user_id
    returning generation, is_free";
/// If there is another generation by now, the homeserver has lost its password as well: it counts as not
/// applied.
const REVOKED: &str = "update external_access
    set revoke_due = case when generation <> $2 then revoke_due when $3 then null
                          else now() + least(300, 2 ^ least(attempts, 9)) * interval '1 second' end,
        attempts = case when generation <> $2 then attempts when $3 then 0 else attempts + 1 end,
        applied = case when generation <> $2 then false else applied end,
        lease_until = '-infinity'
    where hub_user_id = $1 and (generation <> $2 or revoke_due is not null)";

#[async_trait]
impl ExternalAccess for PgStore {
    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<Access>> {
        let row =
            self.database.query_opt("finding external access", FIND, &[&tenant.0, &user.as_str()]).await?;
        Ok(row.map(|row| {
            let sealed = row.get::<_, Option<String>>(1).zip(row.get::<_, Option<Vec<u8>>>(2));
            Access {
                generation: row.get(0),
                password: sealed.map(|(key_id, bytes)| Sealed { key_id, bytes }),
                applied: row.get(3),
            }
        }))
    }

    async fn allowed(&self, after: Option<&HubUserId>, limit: i64) -> Result<Vec<User>> {
        let after = after.map_or("", HubUserId::as_str);
        let rows = self.database.query("listing external access", ALLOWED, &[&after, &limit]).await?;
        Ok(rows.iter().map(users::user).collect())
    }

    async fn enable(&self, by: &Administrator, user: &HubUserId, expected: &ExpectedVersions) -> Result<()> {
        self.set_external_access(by, user, expected, true).await.map(drop)
    }

    async fn disable(
        &self,
        by: &Administrator,
        user: &HubUserId,
        expected: &ExpectedVersions,
    ) -> Result<i64> {
        let generation = self.set_external_access(by, user, expected, false).await?;
        generation.ok_or_else(|| Error::internal("disabling external access", "there is no generation"))
    }

    async fn store(&self, user: &HubUserId, generation: i64, password: &Sealed) -> Result<Lease<i64>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&user.as_str(), &generation, &password.key_id, &password.bytes];
        let row = self.database.query_opt("storing a password", STORE, &parameters).await?;
        Ok(row.map_or(Lease::Lost, |row| Lease::Held(row.get(0))))
    }

    async fn applied(&self, user: &HubUserId, generation: i64) -> Result<Lease<()>> {
        let context = "storing that a password is applied";
        match self.database.execute(context, APPLIED, &[&user.as_str(), &generation]).await? {
            0 => Ok(Lease::Lost),
            _ => Ok(Lease::Held(())),
        }
    }

    async fn claim_revocations(&self, lease: Duration, limit: i64) -> Result<Vec<(User, i64)>> {
        let rows = self.database.query("claiming revocations", CLAIM, &[&seconds(lease), &limit]).await?;
        Ok(rows.iter().map(|row| (users::user(row), row.get("generation"))).collect())
    }

    async fn claim_revocation(&self, user: &HubUserId, lease: Duration) -> Result<Option<Lease<i64>>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&user.as_str(), &seconds(lease)];
        let row = self.database.query_opt("claiming a revocation", CLAIM_ONE, &parameters).await?;
        Ok(row.map(|row| if row.get("is_free") { Lease::Held(row.get("generation")) } else { Lease::Lost }))
    }

    async fn revoked(&self, user: &HubUserId, generation: i64, done: bool) -> Result<()> {
        self.database
            .execute("storing the result of a revocation", REVOKED, &[&user.as_str(), &generation, &done])
            .await?;
        Ok(())
    }
}
