//! What people do with rooms: list, open, join and read them, and bring others in.

use std::{collections::HashMap, iter};

use futures::future;

use super::{Action, Listed, Member, Pair, Room, RoomKey, RoomKind, Search, account_refused};
use crate::{
    Error, Messenger, Result,
    error::{Problem, Refusal},
    id::{HubUserId, RoomId},
    name,
    port::RoomAccess,
    provision::check_account,
    user::{Caller, User, superseded},
};

impl Messenger {
    /// The rooms that the caller is in, most recent activity first. One statement, and no call of the homeserver; a
    /// second one if something has just been said in one of them.
    pub async fn rooms_of(&self, caller: &Caller) -> Result<Vec<Room>> {
        let (tenant, user) = (caller.user.tenant(), caller.user.id());
        let rooms = self.room_views.rooms(tenant, user).await?;
        if self.echoed(rooms.iter().map(|room| &room.matrix_room_id)).await {
            return self.room_views.rooms(tenant, user).await;
        }
        Ok(rooms)
    }

    /// The entity and service rooms of the caller's tenant.
    pub async fn directory(&self, caller: &Caller, search: &Search) -> Result<Vec<Listed>> {
        self.room_views.directory(caller.user.tenant(), caller.user.id(), search).await
    }

    /// Opens the one room of the caller and another user, whoever of them comes first.
    pub async fn open_dm(&self, caller: &Caller, partner: &HubUserId) -> Result<Room> {
        let tenant = caller.user.tenant();
        let Some(pair) = Pair::of(caller.user.id(), partner) else {
            caller.user.identity.role.check_may_write()?;
            return Err(Error::invalid("/hub_user_id", "is you: a direct chat needs somebody else"));
        };
        let [user, partner] = self.both(caller, partner).await?;
        let key = RoomKey { tenant, kind: RoomKind::Dm(pair) };
        let room = self.dm_of(&key, [&user, &partner]).await.map_err(|error| match error {
            // Of the caller it is told as their own.
            error if error.refusal().is_some() => account_refused(Some(caller), &user, error),
            error => error,
        })?;
        self.seen_by(&user, &room).await
    }

    /// The one room of these two, with both in it.
    pub(crate) async fn dm_of(&self, key: &RoomKey, pair: [&User; 2]) -> Result<RoomId> {
        let room = if let Some(room) = self.known_room(key).await? {
            room
        } else {
            for user in pair {
                self.make_one_ready(user).await?;
            }
            self.room(key).await?
        };
        let present = self.room_views.members(key.tenant, &room).await?;
        for user in pair {
            if !present.iter().any(|member| member.id() == user.id()) {
                self.make_one_ready(user).await?;
                let joined = self.join(key, &room, user).await;
                joined.map_err(|error| account_refused(None, user, error))?;
            }
        }
        Ok(room)
    }

    /// The caller, who may write, and their partner, both as stored now.
    async fn both(&self, caller: &Caller, partner: &HubUserId) -> Result<[User; 2]> {
        let ids = [caller.user.id().clone(), partner.clone()];
        let found = self.room_views.people(caller.user.tenant(), &ids, &[]).await?;
        let find = |id: &HubUserId| found.iter().find(|user| user.id() == id).cloned();
        let user = find(caller.user.id()).ok_or_else(superseded)?;
        user.identity.role.check_may_write()?;
        Ok([user, find(partner).ok_or(Error::NotFound("user"))?])
    }

    /// Brings the caller into a room that is open to everybody of their tenant, or into a direct chat of their own. Who
    /// is in the room already stays in it; any other room does not exist for them.
    pub async fn join_room(&self, caller: &Caller, room: &RoomId) -> Result<Room> {
        let user = &caller.user;
        let access = self.room_views.access(user.tenant(), user.id(), room).await?;
        let Some(access) = access else { return Err(self.no_member(caller, room).await) };
        if !access.is_member {
            if !access.key.is_open_to(user.id()) {
                return Err(Error::NotFound("room"));
            }
            self.make_ready(caller, std::slice::from_ref(user)).await?;
            if let Err(error) = self.join(&access.key, room, user).await {
                return Err(self.explain(caller, room, user, Action::Join, error).await);
            }
        }
        self.seen_by(user, room).await
    }

    /// Brings another user of the tenant into a room of the caller.
    pub async fn invite(&self, caller: &Caller, room: &RoomId, invited: &str) -> Result<Member> {
        let access = self.own_access(caller, room).await?;
        let role = access.as_ref().map_or(caller.user.identity.role, |access| access.role);
        role.check_may_write()?;
        let Some(RoomAccess { key, .. }) = access else { return Err(self.no_member(caller, room).await) };
        if key.is_direct() {
            let detail = "a direct chat stays between two: make a room for more".into();
            return Err(Error::Conflict { code: "room_is_direct", detail, retry_after: None });
        }
        let mut found = self.named(caller, &[invited.to_owned()]).await.map_err(|error| match error {
            Error::Invalid(problems) => Error::Invalid(
                problems
                    .into_iter()
                    .map(|problem| Problem { pointer: "/hub_user_id".into(), ..problem })
                    .collect(),
            ),
            other => other,
        })?;
        let user = found.pop().ok_or(Error::NotFound("user"))?;
        self.make_ready(caller, std::slice::from_ref(&user)).await?;
        if let Err(error) = self.bring(caller, &key, room, &user).await {
            return Err(self.explain(caller, room, &user, Action::Join, error).await);
        }
        Ok(self.member(user))
    }

    /// In a room that was made with another client the bot may lack the right to invite that the caller has.
    async fn bring(&self, caller: &Caller, key: &RoomKey, room: &RoomId, user: &User) -> Result<()> {
        match self.join(key, room, user).await {
            Err(error) if error.refusal() == Some(Refusal::Forbidden) => {
                let host = self.matrix_id(&caller.user);
                self.homeserver.join_by(room, &host, &self.matrix_id(user)).await?;
                self.memberships.add(key.tenant, room, user.id()).await
            }
            result => result,
        }
    }

    /// Who is in a room of the caller, by name.
    pub async fn members(&self, caller: &Caller, room: &RoomId) -> Result<Vec<Member>> {
        let members = self.room_views.members(caller.user.tenant(), room).await?;
        if !members.iter().any(|member| member.id() == caller.user.id()) {
            return Err(self.no_member(caller, room).await);
        }
        Ok(members.into_iter().map(|user| self.member(user)).collect())
    }

    /// The caller has read everything in a room. Their other devices are told; so are their other Matrix clients, if
    /// the homeserver is there.
    pub async fn mark_read(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let user = &caller.user;
        self.echoed(iter::once(room)).await;
        let read = self.room_views.read(user.tenant(), user.id(), room).await?;
        let Some(read) = read else { return Err(self.no_member(caller, room).await) };
        if let (true, Some(last)) = (read.changed, read.last) {
            let (messenger, room, user) = (self.clone(), room.clone(), self.matrix_id(user));
            self.background.spawn(async move {
                if let Err(error) = messenger.membership_calls.mark_read(&room, &user, &last).await {
                    tracing::debug!(%user, error = &error as &dyn std::error::Error, "their other clients do not know what was read");
                }
            });
        }
        Ok(())
    }

    /// The users of the caller's tenant who are named by id of the Hub or by Matrix id, each once.
    pub(super) async fn named(&self, caller: &Caller, names: &[String]) -> Result<Vec<User>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<_> = names.iter().map(|name| name::normal(name)).collect();
        let ids: Vec<_> = names.iter().filter_map(|name| HubUserId::parse(name).ok()).collect();
        let localparts: Vec<_> =
            names.iter().filter_map(|name| self.localpart_in(name)).map(str::to_owned).collect();
        let people = self.room_views.people(caller.user.tenant(), &ids, &localparts).await?;
        let by_id: HashMap<_, _> = people.iter().map(|user| (user.id().as_str(), user)).collect();
        let by_localpart: HashMap<_, _> = people.iter().map(|user| (user.localpart.as_str(), user)).collect();
        let (mut found, mut unknown) = (Vec::<User>::new(), Vec::new());
        for (n, name) in names.iter().enumerate() {
            let user = by_id.get(&**name).copied();
            let user = user.or_else(|| by_localpart.get(self.localpart_in(name)?).copied());
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

    fn localpart_in<'n>(&self, name: &'n str) -> Option<&'n str> {
        let (localpart, server) = name.strip_prefix('@')?.split_once(':')?;
        (server == self.settings.server_name).then_some(localpart)
    }

    /// Their Matrix accounts exist, whatever the worker has come to.
    pub(crate) async fn make_ready(&self, caller: &Caller, users: &[User]) -> Result<()> {
        let waiting = users.iter().map(|user| async {
            let ready = self.make_one_ready(user).await;
            ready.map_err(|error| account_refused(Some(caller), user, error))
        });
        future::join_all(waiting).await.into_iter().collect()
    }

    async fn make_one_ready(&self, user: &User) -> Result<()> {
        if user.provisioned {
            return Ok(());
        }
        // What this process remembers of a user may be some seconds old.
        match self.users.find(user.tenant(), user.id()).await? {
            Some(now) if !now.provisioned => {
                check_account(&now, &self.matrix_id(&now))?;
                self.provision(&now).await
            }
            _ => Ok(()),
        }
    }

    /// The key of a room that the caller is in. Any other room does not exist for them.
    pub(super) async fn own_room(&self, caller: &Caller, room: &RoomId) -> Result<RoomKey> {
        let access = self.own_access(caller, room).await?;
        match access {
            Some(access) => Ok(access.key),
            None => Err(self.no_member(caller, room).await),
        }
    }

    /// The same with the role that the caller has now.
    async fn own_access(&self, caller: &Caller, room: &RoomId) -> Result<Option<RoomAccess>> {
        let access = self.room_views.access(caller.user.tenant(), caller.user.id(), room).await?;
        Ok(access.filter(|access| access.is_member))
    }

    pub(super) async fn seen_by(&self, user: &User, room: &RoomId) -> Result<Room> {
        self.room_views.room(user.tenant(), user.id(), room).await?.ok_or(Error::NotFound("room"))
    }

    fn member(&self, user: User) -> Member {
        Member {
            matrix_user_id: self.matrix_id(&user),
            hub_user_id: user.identity.hub_user_id,
            display_name: user.identity.display_name,
        }
    }
}
