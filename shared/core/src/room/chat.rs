//! What people do with rooms: list, open, make and leave them.

use std::{collections::HashMap, iter, time::Duration};

use futures::future;

use super::{Listed, Member, NewRoom, Pair, Profile, Room, RoomKey, RoomKind, Search};
use crate::{
    Error, Hub, Result,
    error::{Problem, System},
    id::{HubUserId, RoomId, TenantId},
    port::Departure,
    user::{Caller, User},
};

/// How often it is tried to bring somebody into a new room, and the pauses between.
const JOIN_TRIES: u32 = 3;
const JOIN_PAUSE: Duration = Duration::from_millis(300);
/// How long one worker may take for a departure before another may try.
const LEASE: Duration = Duration::from_mins(1);
/// How many departures a worker takes at once.
const BATCH: i64 = 8;

/// What somebody wants a new room to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founding {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub topic: Option<String>,
    /// Who is to be in it from the start: ids of the Hub, or full Matrix ids of our server.
    pub invite: Vec<String>,
}

impl Hub {
    /// The rooms that the caller is in, most recent activity first. One statement, and no call of the homeserver; a
    /// second one if something has just been said in one of them.
    pub async fn rooms_of(&self, caller: &Caller) -> Result<Vec<Room>> {
        let (tenant, user) = (caller.user.tenant(), caller.user.id());
        let rooms = self.lobby.rooms(tenant, user).await?;
        if self.echoed(rooms.iter().map(|room| &room.matrix_room_id)).await {
            return self.lobby.rooms(tenant, user).await;
        }
        Ok(rooms)
    }

    /// The entity and service rooms of the caller's tenant.
    pub async fn directory(&self, caller: &Caller, search: &Search) -> Result<Vec<Listed>> {
        self.lobby.directory(caller.user.tenant(), caller.user.id(), search).await
    }

    /// Makes a private room with the caller and everybody they name in it. If one of these is unknown, all that are
    /// unknown are named and nothing is made.
    pub async fn found_room(&self, caller: &Caller, founding: Founding) -> Result<Room> {
        caller.check_may_write()?;
        let invited = self.named(caller, &founding.invite).await?;
        let others = invited.into_iter().filter(|user| user.id() != caller.user.id());
        let members: Vec<User> = [caller.user.clone()].into_iter().chain(others).collect();
        self.make_ready(&members).await?;
        // A caller who goes away leaves a whole room.
        let (hub, tenant) = (self.clone(), caller.user.tenant());
        let founded = self.background.spawn(async move { hub.found(tenant, founding, members).await });
        let room = founded.await.map_err(|ended| ended_early("making a room", ended))??;
        self.seen_by(&caller.user, &room).await
    }

    /// Opens the one room of the caller and another user, whoever of them comes first.
    pub async fn open_dm(&self, caller: &Caller, partner: &HubUserId) -> Result<Room> {
        caller.check_may_write()?;
        let tenant = caller.user.tenant();
        let Some(pair) = Pair::of(caller.user.id(), partner) else {
            return Err(Error::invalid("/hub_user_id", "is you: a direct chat needs somebody else"));
        };
        let partner = self.users.find(tenant, partner).await?.ok_or(Error::NotFound("user"))?;
        let key = RoomKey { tenant, kind: RoomKind::Dm(pair) };
        let room = if let Some(room) = self.known_room(&key).await? {
            room
        } else {
            self.make_ready(&[caller.user.clone(), partner.clone()]).await?;
            self.room(&key).await?
        };
        let present = self.lobby.members(tenant, &room).await?;
        for user in [&caller.user, &partner] {
            if !present.iter().any(|member| member.id() == user.id()) {
                self.make_ready(std::slice::from_ref(user)).await?;
                self.join(&key, &room, user).await?;
            }
        }
        self.seen_by(&caller.user, &room).await
    }

    /// Brings the caller into a room that is open to everybody of their tenant, or into a direct chat of their own. Who
    /// is in the room already stays in it; any other room does not exist for them.
    pub async fn join_room(&self, caller: &Caller, room: &RoomId) -> Result<Room> {
        let user = &caller.user;
        let standing = self.lobby.standing(user.tenant(), user.id(), room).await?;
        let standing = standing.ok_or(Error::NotFound("room"))?;
        if !standing.is_member {
            if !standing.key.is_open_to(user.id()) {
                return Err(Error::NotFound("room"));
            }
            self.make_ready(std::slice::from_ref(user)).await?;
            self.join(&standing.key, room, user).await?;
        }
        self.seen_by(user, room).await
    }

    /// Brings another user of the tenant into a room of the caller.
    pub async fn invite(&self, caller: &Caller, room: &RoomId, invited: &str) -> Result<Member> {
        caller.check_may_write()?;
        let key = self.own_room(caller, room).await?;
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
        self.make_ready(std::slice::from_ref(&user)).await?;
        self.join(&key, room, &user).await?;
        Ok(self.member(user))
    }

    /// Who is in a room of the caller, by name.
    pub async fn members(&self, caller: &Caller, room: &RoomId) -> Result<Vec<Member>> {
        let members = self.lobby.members(caller.user.tenant(), room).await?;
        if !members.iter().any(|member| member.id() == caller.user.id()) {
            return Err(Error::NotFound("room"));
        }
        Ok(members.into_iter().map(|user| self.member(user)).collect())
    }

    /// Takes the caller out of a room: here at once, on the homeserver as soon as it can be done.
    pub async fn leave(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let key = self.own_room(caller, room).await?;
        if key.is_direct() || key.kind == RoomKind::General {
            let detail = "direct chats and the room of everybody cannot be left".into();
            return Err(Error::Conflict { code: "room_cannot_be_left", detail, retry_after: None });
        }
        self.departures.depart(caller.user.tenant(), room, caller.user.id()).await
    }

    /// The caller has read everything in a room. Their other devices are told; so are their other Matrix clients, if
    /// the homeserver is there.
    pub async fn mark_read(&self, caller: &Caller, room: &RoomId) -> Result<()> {
        let user = &caller.user;
        self.echoed(iter::once(room)).await;
        let read = self.lobby.read(user.tenant(), user.id(), room).await?.ok_or(Error::NotFound("room"))?;
        if let (true, Some(last)) = (read.changed, read.last) {
            let (hub, room, user) = (self.clone(), room.clone(), self.matrix_id(user));
            self.background.spawn(async move {
                if let Err(error) = hub.attendance.mark_read(&room, &user, &last).await {
                    tracing::debug!(%user, error = &error as &dyn std::error::Error, "their other clients do not know what was read");
                }
            });
        }
        Ok(())
    }

    /// Lets users leave rooms on the homeserver that they are out of here. Returns how many it took.
    pub async fn depart_due(&self) -> Result<usize> {
        let due = self.departures.claim(LEASE, BATCH).await?;
        let results = future::join_all(due.iter().map(|departure| self.depart(departure))).await;
        for (departure, result) in due.iter().zip(results) {
            if let Err(error) = result {
                tracing::warn!(user = %departure.user, room = %departure.room, error = &error as &dyn std::error::Error, "leaving is postponed");
                self.departures.postpone(departure).await?;
            }
        }
        Ok(due.len())
    }

    async fn depart(&self, departure: &Departure) -> Result<()> {
        let user = self.matrix_id_of(&departure.localpart);
        self.attendance.leave(&departure.room, &user).await?;
        if !self.departures.done(departure).await? {
            // They came back in the same moment.
            self.homeserver.join(&departure.room, &user).await?;
        }
        Ok(())
    }

    async fn found(&self, tenant: TenantId, founding: Founding, members: Vec<User>) -> Result<RoomId> {
        let key =
            RoomKey { tenant, kind: RoomKind::Custom { id: format!("{:032x}", rand::random::<u128>()) } };
        let Founding { name, topic, .. } = founding;
        let new = NewRoom {
            alias: key.alias(),
            name: name.clone(),
            topic: topic.clone(),
            is_direct: false,
            invite: Vec::new(),
        };
        let room = self.homeserver.create_room(&new).await?;
        let joins = members.iter().map(|user| self.join_patiently(&room, user));
        if let Err(error) = future::join_all(joins).await.into_iter().collect::<Result<()>>() {
            // Nobody keeps a room that is not what its maker asked for.
            for user in &members {
                self.departures.depart(tenant, &room, user.id()).await?;
            }
            return Err(error);
        }
        let profile = Profile {
            name: Some(name),
            topic,
            created_by: members.first().map(|maker| maker.id().clone()),
            members: members.iter().map(|user| user.id().clone()).collect(),
        };
        self.rooms.settle(&key, &room, &profile).await
    }

    async fn join_patiently(&self, room: &RoomId, user: &User) -> Result<()> {
        let user = self.matrix_id(user);
        for _ in 1..JOIN_TRIES {
            match self.homeserver.join(room, &user).await {
                Err(error) if error.is_transient() => tokio::time::sleep(JOIN_PAUSE).await,
                result => return result,
            }
        }
        self.homeserver.join(room, &user).await
    }

    /// The users of the caller's tenant who are named by id of the Hub or by Matrix id, each once.
    async fn named(&self, caller: &Caller, names: &[String]) -> Result<Vec<User>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = names.iter().map(|name| HubUserId::new(name.as_str())).collect();
        let localparts: Vec<_> =
            names.iter().filter_map(|name| self.localpart_in(name)).map(str::to_owned).collect();
        let people = self.lobby.people(caller.user.tenant(), &ids, &localparts).await?;
        let by_id: HashMap<_, _> = people.iter().map(|user| (user.id().as_str(), user)).collect();
        let by_localpart: HashMap<_, _> = people.iter().map(|user| (user.localpart.as_str(), user)).collect();
        let (mut found, mut unknown) = (Vec::<User>::new(), Vec::new());
        for (n, name) in names.iter().enumerate() {
            let user = by_id.get(name.as_str()).copied();
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
    pub(crate) async fn make_ready(&self, users: &[User]) -> Result<()> {
        let waiting = users.iter().filter(|user| !user.provisioned).map(|user| async {
            // What this process remembers of a user may be some seconds old.
            match self.users.find(user.tenant(), user.id()).await? {
                Some(now) if !now.provisioned => self.provision(&now).await,
                _ => Ok(()),
            }
        });
        future::join_all(waiting).await.into_iter().collect()
    }

    /// The key of a room that the caller is in. Any other room does not exist for them.
    async fn own_room(&self, caller: &Caller, room: &RoomId) -> Result<RoomKey> {
        match self.lobby.standing(caller.user.tenant(), caller.user.id(), room).await? {
            Some(standing) if standing.is_member => Ok(standing.key),
            _ => Err(Error::NotFound("room")),
        }
    }

    async fn seen_by(&self, user: &User, room: &RoomId) -> Result<Room> {
        self.lobby.room(user.tenant(), user.id(), room).await?.ok_or(Error::NotFound("room"))
    }

    fn member(&self, user: User) -> Member {
        Member {
            matrix_user_id: self.matrix_id(&user),
            hub_user_id: user.identity.hub_user_id,
            display_name: user.identity.display_name,
        }
    }
}

fn ended_early(doing: &'static str, error: tokio::task::JoinError) -> Error {
    Error::fault(System::Homeserver, crate::error::Failure::Broken, doing, error)
}
