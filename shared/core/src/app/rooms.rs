//! Lists, opens, joins, reads and leaves rooms for their users.

mod create;
mod leave;

use std::{collections::HashMap, iter, sync::Arc};

use tokio_util::task::TaskTracker;

use crate::{
    app::{
        authorization::Authorization, onboarding::Onboarding, room_registry::RoomRegistry,
        user_directory::UserDirectory,
    },
    domain::{
        error::{Error, Problem, Refusal, Result},
        id::{HubUserId, RoomId},
        matrix_ids::MatrixIds,
        name,
        room::{Action, Listed, Member, Pair, Room, RoomKey, RoomKind, Search, account_refused},
        user::{Caller, User, superseded},
    },
    live::{echoes::Echoes, follow_ups::FollowUps},
    port::{self, Ports, RoomAccess},
};

/// The engine for rooms as users see and change them.
pub struct Rooms {
    room_views: Arc<dyn port::RoomViews>,
    memberships: Arc<dyn port::Memberships>,
    accounts: Arc<dyn port::Accounts>,
    records: Arc<dyn port::Rooms>,
    pending_leaves: Arc<dyn port::PendingLeaves>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    room_administration: Arc<dyn port::RoomAdministration>,
    ephemeral_events: Arc<dyn port::EphemeralEvents>,
    registry: Arc<RoomRegistry>,
    onboarding: Arc<Onboarding>,
    authorization: Arc<Authorization>,
    directory: Arc<UserDirectory>,
    ids: Arc<MatrixIds>,
    echoes: Arc<Echoes>,
    follow_ups: FollowUps,
    background: TaskTracker,
}

/// The engines that [`Rooms`] uses.
pub(crate) struct Parts<'p> {
    pub(crate) registry: &'p Arc<RoomRegistry>,
    pub(crate) onboarding: &'p Arc<Onboarding>,
    pub(crate) authorization: &'p Arc<Authorization>,
    pub(crate) directory: &'p Arc<UserDirectory>,
}

impl Rooms {
    pub(crate) fn new(
        ports: &Ports,
        engines: &Parts<'_>,
        ids: &Arc<MatrixIds>,
        echoes: &Arc<Echoes>,
        follow_ups: &FollowUps,
        background: &TaskTracker,
    ) -> Self {
        Self {
            room_views: ports.room_views.clone(),
            memberships: ports.memberships.clone(),
            accounts: ports.accounts.clone(),
            records: ports.rooms.clone(),
            pending_leaves: ports.pending_leaves.clone(),
            membership_calls: ports.membership_calls.clone(),
            room_administration: ports.room_administration.clone(),
            ephemeral_events: ports.ephemeral_events.clone(),
            registry: engines.registry.clone(),
            onboarding: engines.onboarding.clone(),
            authorization: engines.authorization.clone(),
            directory: engines.directory.clone(),
            ids: ids.clone(),
            echoes: echoes.clone(),
            follow_ups: follow_ups.clone(),
            background: background.clone(),
        }
    }

    /// Returns the rooms of which the caller is a member, latest activity first.
    ///
    /// This costs one statement and no call of the homeserver; a second statement if this process has just
    /// sent a message into one of the rooms.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn list(&self, caller: &Caller) -> Result<Vec<Room>> {
        let (tenant, user) = (caller.user.tenant(), caller.user.id());
        let rooms = self.room_views.rooms(tenant, user).await?;
        if self.echoes.wait_in(rooms.iter().map(|room| &room.matrix_room_id)).await {
            return self.room_views.rooms(tenant, user).await;
        }
        Ok(rooms)
    }

    /// Returns the entity and service rooms of the caller's tenant.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn directory(&self, caller: &Caller, search: &Search) -> Result<Vec<Listed>> {
        self.room_views.directory(caller.user.tenant(), caller.user.id(), search).await
    }

    /// Returns the direct chat of the caller and another user, and creates it if it does not exist.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn open_direct_chat(&self, caller: &Caller, partner: &HubUserId) -> Result<Room> {
        let tenant = caller.user.tenant();
        let Some(pair) = Pair::of(caller.user.id(), partner) else {
            caller.user.identity.role.check_may_write()?;
            return Err(Error::invalid("/hub_user_id", "is you: a direct chat needs somebody else"));
        };
        let [user, partner] = self.both(caller, partner).await?;
        let key = RoomKey { tenant, kind: RoomKind::Dm(pair) };
        let room = self.direct_chat(&key, [&user, &partner]).await.map_err(|error| match error {
            // A refusal for the caller's own account has a text of its own.
            error if error.refusal().is_some() => account_refused(Some(caller), &user, error),
            error => error,
        })?;
        self.view(&user, &room).await
    }

    /// Returns the direct chat of two users, with both as members.
    pub(crate) async fn direct_chat(&self, key: &RoomKey, pair: [&User; 2]) -> Result<RoomId> {
        if let Some(room) = self.registry.find(key).await? {
            let missing = self.missing(key, &room, pair).await?;
            // Another process may have closed the cached room. A closed room has no members.
            if missing.is_empty() || !self.registry.has_closed(&room).await? {
                self.join_all(key, &room, &missing).await?;
                return Ok(room);
            }
        }
        for user in pair {
            self.onboarding.make_one_ready(user).await?;
        }
        let room = self.registry.find_or_create(key).await?;
        let missing = self.missing(key, &room, pair).await?;
        self.join_all(key, &room, &missing).await?;
        Ok(room)
    }

    /// Returns those of two users who are not members of a room.
    async fn missing<'u>(&self, key: &RoomKey, room: &RoomId, pair: [&'u User; 2]) -> Result<Vec<&'u User>> {
        let members = self.room_views.members(key.tenant, room).await?;
        let is_member = |user: &User| members.iter().any(|member| member.id() == user.id());
        Ok(pair.into_iter().filter(|user| !is_member(user)).collect())
    }

    /// Joins users to a direct chat.
    async fn join_all(&self, key: &RoomKey, room: &RoomId, users: &[&User]) -> Result<()> {
        for user in users {
            self.onboarding.make_one_ready(user).await?;
            let joined = self.registry.join(key, room, user).await;
            joined.map_err(|error| account_refused(None, user, error))?;
        }
        Ok(())
    }

    /// Returns the caller, whose right to write is checked, and their partner, both as stored now.
    async fn both(&self, caller: &Caller, partner: &HubUserId) -> Result<[User; 2]> {
        let ids = [caller.user.id().clone(), partner.clone()];
        let users = self.room_views.people(caller.user.tenant(), &ids, &[]).await?;
        let find = |id: &HubUserId| users.iter().find(|user| user.id() == id).cloned();
        let user = find(caller.user.id()).ok_or_else(superseded)?;
        user.identity.role.check_may_write()?;
        Ok([user, find(partner).ok_or(Error::NotFound("user"))?])
    }

    /// Joins the caller to a room that is open to their tenant, or to a direct chat of their own.
    ///
    /// A member stays a member. Any other room does not exist for the caller.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn join(&self, caller: &Caller, room: &RoomId) -> Result<Room> {
        let user = &caller.user;
        let access = self.room_views.access(user.tenant(), user.id(), room).await?;
        let Some(access) = access else { return Err(self.authorization.no_member(caller, room).await) };
        if !access.is_member {
            if !access.key.is_open_to(user.id()) {
                return Err(Error::NotFound("room"));
            }
            self.onboarding.make_ready(caller, std::slice::from_ref(user)).await?;
            if let Err(error) = self.registry.join(&access.key, room, user).await {
                return Err(self.authorization.explain(caller, room, user, Action::Join, error).await);
            }
        }
        self.view(user, room).await
    }

    /// Joins another user of the tenant to a room of the caller.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn invite(&self, caller: &Caller, room: &RoomId, invited: &str) -> Result<Member> {
        let access = self.own_access(caller, room).await?;
        let role = access.as_ref().map_or(caller.user.identity.role, |access| access.role);
        role.check_may_write()?;
        let Some(RoomAccess { key, .. }) = access else {
            return Err(self.authorization.no_member(caller, room).await);
        };
        if key.is_direct() {
            let detail = "a direct chat stays between two: make a room for more".into();
            return Err(Error::Conflict { code: "room_is_direct", detail, retry_after: None });
        }
        let mut users = self.named(caller, &[invited.to_owned()]).await.map_err(|error| match error {
            Error::Invalid(problems) => Error::Invalid(
                problems
                    .into_iter()
                    .map(|problem| Problem { pointer: "/hub_user_id".into(), ..problem })
                    .collect(),
            ),
            other => other,
        })?;
        let user = users.pop().ok_or(Error::NotFound("user"))?;
        self.onboarding.make_ready(caller, std::slice::from_ref(&user)).await?;
        if let Err(error) = self.join_by_caller(caller, &key, room, &user).await {
            return Err(self.authorization.explain(caller, room, &user, Action::Join, error).await);
        }
        // A room that was closed meanwhile has no members.
        if self.registry.has_closed(room).await? {
            return Err(Error::NotFound("room"));
        }
        Ok(self.member(user))
    }

    /// Joins a user by the bot, or in the caller's name if the bot may not invite.
    ///
    /// In a room that was created with another client the bot may lack a right that the caller has.
    async fn join_by_caller(&self, caller: &Caller, key: &RoomKey, room: &RoomId, user: &User) -> Result<()> {
        match self.registry.join(key, room, user).await {
            Err(error) if error.refusal() == Some(Refusal::Forbidden) => {
                self.registry.join_by(key.tenant, room, &caller.user, user).await
            }
            result => result,
        }
    }

    /// Returns the members of a room of the caller, by name.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn members(&self, caller: &Caller, room: &RoomId) -> Result<Vec<Member>> {
        let members = self.room_views.members(caller.user.tenant(), room).await?;
        if !members.iter().any(|member| member.id() == caller.user.id()) {
            return Err(self.authorization.no_member(caller, room).await);
        }
        Ok(members.into_iter().map(|user| self.member(user)).collect())
    }

    /// Marks a room as read by the caller.
    ///
    /// The caller's other event streams receive it. Their other Matrix clients receive it if the homeserver
    /// is reachable.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn mark_read(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let user = &caller.user;
        self.echoes.wait_in(iter::once(room)).await;
        let read = self.room_views.read(user.tenant(), user.id(), room).await?;
        let Some(read) = read else { return Err(self.authorization.no_member(caller, room).await) };
        if let (true, Some(last)) = (read.changed, read.last) {
            let (receipts, room, user) = (self.ephemeral_events.clone(), room.clone(), self.ids.of(user));
            self.background.spawn(async move {
                if let Err(error) = receipts.mark_read(&room, &user, &last).await {
                    tracing::debug!(
                        %user,
                        error = &error as &dyn std::error::Error,
                        "sending a read marker to the homeserver failed"
                    );
                }
            });
        }
        Ok(())
    }

    /// Switches the sounds of a room off or on for the caller, on all devices.
    ///
    /// Other Matrix clients get a push rule if the homeserver is reachable.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room))]
    pub async fn set_muted(&self, caller: &Caller, room: &RoomId, muted: bool) -> Result<()> {
        let user = &caller.user;
        if !self.memberships.set_muted(user.tenant(), room, user.id(), muted).await? {
            return Err(self.authorization.no_member(caller, room).await);
        }
        let (accounts, room, user) = (self.accounts.clone(), room.clone(), self.ids.of(user));
        self.background.spawn(async move {
            if let Err(error) = accounts.silence(&room, &user, muted).await {
                tracing::debug!(
                    %user,
                    error = &error as &dyn std::error::Error,
                    "changing the push rule of a room on the homeserver failed"
                );
            }
        });
        Ok(())
    }

    /// Returns the users of the caller's tenant with these Hub user ids or Matrix ids, each once.
    pub(crate) async fn named(&self, caller: &Caller, names: &[String]) -> Result<Vec<User>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<_> = names.iter().map(|name| name::normal(name)).collect();
        let ids: Vec<_> = names.iter().filter_map(|name| HubUserId::parse(name).ok()).collect();
        let localparts: Vec<_> =
            names.iter().filter_map(|name| self.ids.localpart_in(name)).map(str::to_owned).collect();
        let users = self.room_views.people(caller.user.tenant(), &ids, &localparts).await?;
        let by_id: HashMap<_, _> = users.iter().map(|user| (user.id().as_str(), user)).collect();
        let by_localpart: HashMap<_, _> = users.iter().map(|user| (user.localpart.as_str(), user)).collect();
        let (mut found, mut unknown) = (Vec::<User>::new(), Vec::new());
        for (n, name) in names.iter().enumerate() {
            let user = by_id.get(&**name).copied();
            let user = user.or_else(|| by_localpart.get(self.ids.localpart_in(name)?).copied());
            match user {
                Some(user) if found.iter().any(|known| known.id() == user.id()) => {}
                Some(user) => found.push(user.clone()),
                None => unknown.push(
                    Problem::new(format!("/invite_users/{n}"), format!("`{name}` is no user of your tenant"))
                        .coded("unknown_user"),
                ),
            }
        }
        if unknown.is_empty() { Ok(found) } else { Err(Error::Invalid(unknown)) }
    }

    /// Returns the key of a room of which the caller is a member. Any other room does not exist for them.
    pub(crate) async fn own_room(&self, caller: &Caller, room: &RoomId) -> Result<RoomKey> {
        let access = self.own_access(caller, room).await?;
        match access {
            Some(access) => Ok(access.key),
            None => Err(self.authorization.no_member(caller, room).await),
        }
    }

    /// Returns the caller's access to a room with their current role, or `None` if they are no member.
    async fn own_access(&self, caller: &Caller, room: &RoomId) -> Result<Option<RoomAccess>> {
        let access = self.room_views.access(caller.user.tenant(), caller.user.id(), room).await?;
        Ok(access.filter(|access| access.is_member))
    }

    /// Returns a room as its member sees it.
    pub(crate) async fn view(&self, user: &User, room: &RoomId) -> Result<Room> {
        self.room_views.room(user.tenant(), user.id(), room).await?.ok_or(Error::NotFound("room"))
    }

    fn member(&self, user: User) -> Member {
        Member {
            matrix_user_id: self.ids.of(&user),
            hub_user_id: user.identity.hub_user_id,
            display_name: user.display_name,
        }
    }
}
