//! Rooms as their members see them, in memory.

use std::cmp::Reverse;

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::payload::{EventPayload, Unread},
    id::{HubUserId, RoomId, TenantId},
    name::fold,
    notification::EntityId,
    port::{Read, ReadUpTo, RoomAccess, RoomViews},
    room::{Access, Listed, Room, RoomKey, RoomKind, RoomType, Search},
    user::User,
};

use super::{Memory, State, messages::Summary, rooms::Registered};

#[async_trait]
impl RoomViews for Memory {
    async fn rooms(&self, tenant: TenantId, user: &HubUserId) -> Result<Vec<Room>> {
        self.act("reading rooms", |state| {
            let mut rooms: Vec<_> = state
                .members
                .keys()
                .filter(|(t, u, _)| *t == tenant && u == user)
                .filter_map(|(_, _, room)| Some((state.registered(tenant, room)?.1, room)))
                .collect();
            rooms.sort_by_key(|(registered, room)| {
                (Reverse(state.summary(room).activity.max(registered.activity)), room.as_str())
            });
            rooms.iter().filter_map(|(_, room)| state.view(tenant, user, room)).collect()
        })
        .await
    }

    async fn room(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<Room>> {
        self.act("reading a room", |state| state.view(tenant, user, room)).await
    }

    async fn directory(&self, tenant: TenantId, user: &HubUserId, search: &Search) -> Result<Vec<Listed>> {
        self.act("reading the directory", |state| {
            let mut found: Vec<_> = state
                .rooms
                .keys()
                .filter(|key| key.tenant == tenant)
                .filter_map(|key| Some((key, state.registered(tenant, state.room_of(key)?)?.1)))
                .filter_map(|(key, registered)| state.listed(key, registered, user))
                .filter(|listed| listed.display_name.to_lowercase().contains(&search.text.to_lowercase()))
                .filter(|listed| search.entity_type.is_none() || listed.entity_type == search.entity_type)
                .collect();
            found.sort_by_key(|listed| (listed.display_name.to_lowercase(), listed.matrix_room_id.clone()));
            let (from, most) = (usize::try_from(search.offset), usize::try_from(search.limit));
            found.into_iter().skip(from.unwrap_or_default()).take(most.unwrap_or_default()).collect()
        })
        .await
    }

    async fn access(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<RoomAccess>> {
        self.act("finding a room", |state| {
            let (key, _) = state.registered(tenant, room)?;
            let is_member = state.members.contains_key(&(tenant, user.clone(), room.clone()));
            Some(RoomAccess { key: key.clone(), is_member, role: state.user(tenant, user)?.identity.role })
        })
        .await
    }

    async fn member_access(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        room: &RoomId,
    ) -> Result<Option<Access>> {
        self.act("looking for a member", |state| {
            let role = state.user(tenant, user)?.identity.role;
            let is_member = state.members.contains_key(&(tenant, user.clone(), room.clone()));
            let marks = state.marks(room).filter(|_| is_member)?;
            Some(Access { role, marks, predecessor: state.predecessor(room) })
        })
        .await
    }

    async fn members(&self, tenant: TenantId, room: &RoomId) -> Result<Vec<User>> {
        self.act("reading members", |state| {
            let members = state.members.keys().filter(|(t, _, r)| *t == tenant && r == room);
            let mut users: Vec<_> =
                members.filter_map(|(_, user, _)| state.user(tenant, user)).cloned().collect();
            users.sort_by_key(|user| (fold(&user.display_name), user.id().clone()));
            users
        })
        .await
    }

    async fn members_among(&self, tenant: TenantId, room: &RoomId, ids: &[HubUserId]) -> Result<Vec<User>> {
        let members = self.members(tenant, room).await?.into_iter();
        Ok(members.filter(|member| ids.contains(member.id())).collect())
    }

    async fn people(&self, tenant: TenantId, ids: &[HubUserId], localparts: &[String]) -> Result<Vec<User>> {
        self.act("finding users", |state| {
            let users = state.users.values().map(|stored| &stored.user);
            users
                .filter(|user| user.tenant() == tenant)
                .filter(|user| ids.contains(user.id()) || localparts.contains(&user.localpart))
                .cloned()
                .collect()
        })
        .await
    }

    async fn read(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<Read>> {
        self.act("marking a room as read", |state| {
            let count = state.message_count(room);
            let read = state.members.get_mut(&(tenant, user.clone(), room.clone()))?;
            let changed = std::mem::replace(read, count) < count;
            if changed {
                let unread =
                    EventPayload::Unread(Unread { room_id: room, unread_count: 0, mention_count: 0 });
                state.publish_to_user(tenant, user, &unread);
            }
            Some(Read { changed, last: state.summary(room).last_event })
        })
        .await
    }

    async fn read_up_to(&self, receipts: &[ReadUpTo]) -> Result<Vec<usize>> {
        self.act("storing receipts", |state| {
            let receipts = receipts.iter().enumerate();
            receipts.filter(|(_, receipt)| state.read_up_to(receipt)).map(|(n, _)| n).collect()
        })
        .await
    }
}

impl State {
    /// Stores a receipt. Returns `true` if it names no known message although some are unread.
    fn read_up_to(&mut self, receipt: &ReadUpTo) -> bool {
        let ReadUpTo { room, localpart, events } = receipt;
        let user = self.all_users().find(|user| user.localpart == *localpart);
        let Some(user) = user.map(|user| user.id().clone()) else { return false };
        let members = self.members.iter();
        let member = members.map(|(member, read)| (member.clone(), *read));
        let mut member = member.filter(|((_, id, at), _)| *id == user && at == room);
        let Some((member, read)) = member.next() else { return false };
        let summary = self.summary(room);
        if self.registered(member.0, room).is_none() || read >= summary.count {
            return false;
        }
        let Some(place) = summary.place(events) else { return true };
        if place > read {
            self.members.insert(member.clone(), place);
            let mention_count = self.mention_count(&user, room, place);
            let unread = Unread { room_id: room, unread_count: summary.count - place, mention_count };
            self.publish_to_user(member.0, &user, &EventPayload::Unread(unread));
        }
        false
    }

    /// Returns a room as a member sees it; `None` if the user is no member, or the room is not registered.
    pub(super) fn view(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Option<Room> {
        let read = self.members.get(&(tenant, user.clone(), room.clone()))?;
        let (key, registered) = self.registered(tenant, room)?;
        let (entity_type, entity_id) = entity(key);
        let summary = self.summary(room);
        let last = summary.last_event.as_ref();
        let read_event_id = summary.message_at(*read);
        let may_see_last = last.is_none_or(|event| self.may_see(tenant, user, room, event));
        Some(Room {
            matrix_room_id: room.clone(),
            display_name: self.name(key, registered, user),
            room_type: room_type(key),
            topic: non_empty(&summary.topic).or_else(|| registered.profile.topic.clone()),
            entity_type,
            entity_id,
            unread_count: (summary.count - read).max(0),
            last_message: summary.last.filter(|_| may_see_last),
            last_message_ts: summary.at.filter(|_| may_see_last),
            encrypted: registered.profile.marks.is_encrypted,
            mention_count: self.mention_count(user, room, *read),
            muted: self.muted.contains(&(tenant, user.clone(), room.clone())),
            read_event_id,
        })
    }

    fn summary(&self, room: &RoomId) -> Summary {
        self.conversation.summaries.get(room).cloned().unwrap_or_default()
    }

    fn name(&self, key: &RoomKey, registered: &Registered, user: &HubUserId) -> String {
        match &key.kind {
            RoomKind::Dm(pair) => {
                let partner = pair.both().into_iter().find(|one| *one != user).unwrap_or(user);
                let known = self.user(key.tenant, partner);
                known.map_or_else(|| partner.to_string(), |partner| partner.display_name.clone())
            }
            _ => non_empty(&self.summary(&registered.id).name)
                .or_else(|| registered.profile.name.clone())
                .unwrap_or_else(|| key.kind().to_owned()),
        }
    }

    fn listed(&self, key: &RoomKey, registered: &Registered, user: &HubUserId) -> Option<Listed> {
        let (entity_type, entity_id) = entity(key);
        let room_type = room_type(key);
        matches!(room_type, RoomType::Entity | RoomType::Service).then(|| Listed {
            matrix_room_id: registered.id.clone(),
            display_name: self.name(key, registered, user),
            room_type,
            topic: registered.profile.topic.clone(),
            entity_type,
            entity_id,
            last_message_ts: self.summary(&registered.id).at,
            joined: self.members.contains_key(&(key.tenant, user.clone(), registered.id.clone())),
        })
    }

    fn room_of(&self, key: &RoomKey) -> Option<&RoomId> {
        self.rooms.get(key)?.room()
    }
}

/// Returns `None` for an empty text.
fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn entity(key: &RoomKey) -> (Option<String>, Option<EntityId>) {
    match &key.kind {
        RoomKind::Entity { entity_type, entity_id } => {
            (Some(entity_type.clone()), Some(EntityId::parse(entity_id)))
        }
        _ => (None, None),
    }
}

fn room_type(key: &RoomKey) -> RoomType {
    match key.kind {
        RoomKind::General => RoomType::General,
        RoomKind::Entity { .. } => RoomType::Entity,
        RoomKind::Service { .. } => RoomType::Service,
        RoomKind::BotDm { .. } | RoomKind::Dm(_) => RoomType::Dm,
        RoomKind::Custom { .. } => RoomType::Custom,
    }
}
