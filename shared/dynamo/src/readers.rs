//! The ports of users in a process without a database. Users, their rooms and their logouts are read from the
//! copy at each request.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use messenger_core::{
    Error, Result,
    ephemeral::EphemeralEvent,
    id::{HubUserId, Position, RoomId, TenantId},
    lease::Lease,
    port::{Cursors, EphemeralBus, Memberships, ReaderRights, UserWatcher, Users},
    user::{Account, Identity, User, UserQuery, UserSummary, unknown_here},
};

use crate::{
    error::NO_DATABASE,
    present::Present,
    table::{Reader, Table},
};

/// The users of the copy.
pub(crate) struct DynamoReaders {
    table: Arc<Table>,
    present: Arc<Present>,
}

impl DynamoReaders {
    pub(crate) fn new(table: Arc<Table>, present: Arc<Present>) -> Self {
        Self { table, present }
    }

    async fn reader(&self, user: &HubUserId) -> Result<Option<Reader>> {
        let keys = self.present.attended().await?;
        self.table.reader(&keys, user).await
    }
}

/// The methods that only a database serves are errors: no function without one calls them.
#[async_trait]
impl Users for DynamoReaders {
    /// Stores nothing: a user who is unknown here, or new to the tenant of the token, is signed in by another
    /// function.
    async fn sign_in(&self, identity: &Identity, _localpart: &str) -> Result<User> {
        self.in_any_tenant(&identity.hub_user_id).await?.ok_or_else(unknown_here)
    }

    async fn find(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<User>> {
        Ok(self.in_any_tenant(user).await?.filter(|user| user.tenant() == tenant))
    }

    async fn in_any_tenant(&self, user: &HubUserId) -> Result<Option<User>> {
        Ok(self.reader(user).await?.map(|reader| of_copy(user, &reader)))
    }

    async fn with_localparts(&self, _localparts: &[String]) -> Result<Vec<User>> {
        Err(no_database("finding users"))
    }

    async fn search(&self, _tenant: TenantId, _query: &UserQuery) -> Result<Vec<UserSummary>> {
        Err(no_database("searching users"))
    }

    async fn claim_due(&self, _lease: Duration, _limit: i64) -> Result<Vec<User>> {
        Err(no_database("claiming accounts"))
    }

    async fn provisioned(&self, _user: &User) -> Result<()> {
        Err(no_database("storing that an account is provisioned"))
    }

    async fn postpone(&self, _user: &HubUserId) -> Result<()> {
        Err(no_database("postponing an account"))
    }

    async fn record_account(
        &self,
        _user: &User,
        _account: Account,
        _look_again: Duration,
    ) -> Result<Lease<Account>> {
        Err(no_database("storing the state of an account"))
    }

    fn may_lag(&self) -> bool {
        true
    }

    /// Reports nothing, so that no user is cached.
    fn watch(&self, _watcher: Arc<dyn UserWatcher>) {}
}

#[async_trait]
impl Memberships for DynamoReaders {
    async fn add(&self, _tenant: TenantId, _room: &RoomId, _user: &HubUserId) -> Result<()> {
        Err(no_database("adding a member"))
    }

    async fn remove(&self, _tenant: TenantId, _room: &RoomId, _user: &HubUserId) -> Result<()> {
        Err(no_database("removing a member"))
    }

    async fn set_muted(
        &self,
        _tenant: TenantId,
        _room: &RoomId,
        _user: &HubUserId,
        _muted: bool,
    ) -> Result<bool> {
        Err(no_database("muting a room"))
    }

    async fn is_member(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<bool> {
        Ok(self.of(tenant, user).await?.contains(room))
    }

    async fn reader_rights(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<ReaderRights>> {
        let Some(reader) = self.reader(user).await?.filter(|reader| reader.stored.tenant == tenant) else {
            return Ok(None);
        };
        if reader.has_too_many_rooms {
            return Err(Error::not_ready(
                "you are in more rooms than this process can serve: the operator sets DATABASE_URL for it",
            ));
        }
        let Reader { position, stored, .. } = reader;
        Ok(Some(ReaderRights {
            role: stored.role,
            logged_out_at: stored.logged_out_at,
            rooms: stored.rooms,
            since: position,
        }))
    }
}

#[async_trait]
impl Cursors for DynamoReaders {
    async fn load(&self, _tenant: TenantId, _user: &HubUserId, _reader: &str) -> Result<Option<Position>> {
        Err(Error::invalid(
            "?cursor",
            "must be given, because no position of a reader is kept here: begin with `now`, then send `X-Next-Cursor` \
             of the last answer",
        ))
    }

    async fn store(
        &self,
        _tenant: TenantId,
        _user: &HubUserId,
        _reader: &str,
        _position: Position,
    ) -> Result<()> {
        Err(no_database("storing a cursor"))
    }
}

/// No ephemeral event reaches this process: they are signals of the database.
#[async_trait]
impl EphemeralBus for DynamoReaders {
    async fn publish(&self, _events: &[EphemeralEvent]) -> Result<()> {
        Ok(())
    }

    fn listen(&self) -> BoxStream<'static, EphemeralEvent> {
        stream::pending().boxed()
    }
}

/// Returns a user of the copy, which has no names and no account.
fn of_copy(user: &HubUserId, reader: &Reader) -> User {
    let stored = &reader.stored;
    User {
        identity: Identity {
            hub_user_id: user.clone(),
            tenant: stored.tenant,
            display_name: user.to_string(),
            role: stored.role,
            issued_at: stored.issued_at,
        },
        display_name: user.to_string(),
        localpart: String::new(),
        external_client_enabled: false,
        provisioned: true,
        account: Account::Pending,
        logged_out_at: stored.logged_out_at,
    }
}

fn no_database(operation: &'static str) -> Error {
    Error::internal(operation, NO_DATABASE)
}
