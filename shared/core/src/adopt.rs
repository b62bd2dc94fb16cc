//! Rooms that people make with other Matrix clients become rooms of ours when we first hear of them: the bot comes in,
//! the room belongs to the tenant of who let it in, and a direct chat of two is *the* direct chat of these two unless they
//! have one already.
//!
//! Left alone are rooms in which nobody else is yet, which are encrypted (we could read nothing in them), and which the
//! bot made (they are ours, and about to be stored).

use crate::{
    Hub, Result,
    error::Failure,
    id::{MatrixUserId, RoomId, TenantId},
    inbound::{Content, RoomEvent},
    port::Overview,
    room::{Pair, Profile, RoomKey, RoomKind},
    user::User,
};

/// How much of what was said before us is taken over.
const PAGES: usize = 5;
/// Most events of a page.
const PAGE: u32 = 100;

impl Hub {
    /// The tenant of a room of which we hear for the first time, if it is to be ours.
    pub(crate) async fn adopt(&self, event: &RoomEvent) -> Result<Option<TenantId>> {
        if matches!(event.content, Content::Left(_)) || event.sender == self.bot() {
            return Ok(None);
        }
        self.adopt_from(&event.room_id, &event.sender).await
    }

    /// The same, with a member of the room who lets us in.
    pub(crate) async fn adopt_from(&self, room: &RoomId, member: &MatrixUserId) -> Result<Option<TenantId>> {
        if self.strange.get(room).is_some() {
            return Ok(None);
        }
        let people = self.people([member].into_iter()).await?;
        let Some(host) = people.get(member) else { return Ok(None) };
        match self.try_to_adopt(room, host).await {
            // It may not be read, or nobody may be invited: that will not change soon.
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                tracing::info!(%room, error = &error as &dyn std::error::Error, "a room cannot be adopted");
                self.strange.put(room.clone(), ());
                Ok(None)
            }
            result => result,
        }
    }

    async fn try_to_adopt(&self, room: &RoomId, host: &User) -> Result<Option<TenantId>> {
        let tenant = host.tenant();
        let overview = self.timeline.overview(room, &self.matrix_id(host)).await?;
        let others = overview.people.iter().any(|person| person.id != self.matrix_id(host));
        if overview.is_encrypted || overview.made_by == self.bot() {
            self.strange.put(room.clone(), ());
            return Ok(None);
        }
        if !others {
            return Ok(None);
        }
        self.timeline.enter(room, &self.matrix_id(host)).await?;
        let people = self.people(overview.people.iter().map(|person| &person.id)).await?;
        let members: Vec<_> = overview
            .people
            .iter()
            .filter_map(|person| Some((person.is_joined, people.get(&person.id)?)))
            .filter(|(_, user)| user.tenant() == tenant)
            .collect();
        let users: Vec<_> = members.iter().map(|(_, user)| *user).collect();
        self.settle_adopted(tenant, room, &overview, &users).await?;
        for (is_joined, user) in members {
            if !is_joined {
                // As everywhere here: who is invited is in.
                self.homeserver.join(room, &self.matrix_id(user)).await?;
            }
            self.memberships.add(tenant, room, user.id()).await?;
        }
        tracing::info!(%room, %tenant, "adopted a room");
        self.take_over(room).await?;
        Ok(Some(tenant))
    }

    async fn settle_adopted(
        &self,
        tenant: TenantId,
        room: &RoomId,
        overview: &Overview,
        users: &[&User],
    ) -> Result<()> {
        // Its name and topic come with its events.
        let made_by = users.iter().find(|user| self.matrix_id(user) == overview.made_by);
        let profile = Profile { created_by: made_by.map(|user| user.id().clone()), ..Profile::default() };
        let strangers = overview.people.iter().filter(|person| person.id != self.bot()).count();
        if let [one, other] = users
            && overview.is_direct
            && strangers == users.len()
            && let Some(pair) = Pair::of(one.id(), other.id())
        {
            let key = RoomKey { tenant, kind: RoomKind::Dm(pair) };
            if self.rooms.settle(&key, room, &profile).await? == *room {
                return Ok(());
            }
        }
        let key = RoomKey { tenant, kind: RoomKind::Custom { id: room.as_str().to_owned() } };
        self.rooms.settle(&key, room, &profile).await.map(drop)
    }

    /// What was said before us, oldest first; of an old room only the last of it.
    async fn take_over(&self, room: &RoomId) -> Result<()> {
        let (mut events, mut from) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = self.timeline.before(room, from.as_deref(), PAGE).await?;
            events.extend(page.events);
            match page.end {
                Some(end) => from = Some(end),
                None => break,
            }
        }
        events.reverse();
        // The room is ours by now, so this does not come here again.
        Box::pin(self.receive(events)).await
    }

    /// Somebody in a room of ours was invited by another client: as everywhere here, who is invited is in.
    pub(crate) async fn accept_invitation(&self, tenant: TenantId, event: &RoomEvent) -> Result<()> {
        let Content::Invited(invited) = &event.content else { return Ok(()) };
        if event.sender == self.bot() {
            return Ok(());
        }
        let people = self.people([invited].into_iter()).await?;
        let Some(user) = people.get(invited).filter(|user| user.tenant() == tenant) else { return Ok(()) };
        match self.homeserver.join(&event.room_id, invited).await {
            // The invitation is old: they are out again, or the room is closed.
            Err(error) if error.failure() == Some(Failure::Rejected) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.memberships.add(tenant, &event.room_id, user.id()).await,
        }
    }
}
