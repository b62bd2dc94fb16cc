//! Rooms that people make with other Matrix clients become rooms of ours when we first hear of them: the bot comes in,
//! the room belongs to the tenant of who let it in, and a direct chat of two is *the* direct chat of these two unless they
//! have one already. So do rooms that this service was making when its process ended: the homeserver has them, we do not.
//!
//! Left alone are rooms in which nobody else is yet, which are encrypted (we could read nothing in them: see
//! `adopt/encrypted.rs`) or spaces (they hold rooms, and no messages), which were replaced by another, and which the bot is
//! just making. The successor of a room of ours takes its place (`room/successor.rs`).
//!
//! # Why within the push
//! The homeserver waits for our answer while we ask it about the room, so the events behind this one wait, too; once for
//! each room. A worker that adopted later would let them pass: what is said in the room meanwhile would stand in the log
//! before the history that is taken over, or would have to be kept back room by room, and the event by which we heard of
//! the room would be answered before anything keeps it. So long as it is not answered, the homeserver tells it again, in
//! order, however often we fail: nothing that is known of the room has to be stored until all of it is. What a room is to
//! us is stored in one act with its members; only the events of before can be missing if the process ends right after it,
//! and these are in the history.

mod encrypted;
mod profile;

use std::time::Duration;

use crate::{
    Messenger, Result,
    error::Failure,
    id::{MatrixUserId, RoomId, TenantId},
    inbound::{Content, RoomEvent},
    port::RoomSummary,
    room::{Pair, Profile, RoomKey, RoomKind},
    user::User,
};

/// How much of what was said before us is taken over.
const PAGES: usize = 5;
/// Most events of a page.
const PAGE: u32 = 100;
/// How long making a room may take at the most, whatever fails.
const MAKING: Duration = Duration::from_mins(5);

impl Messenger {
    /// The tenant of a room of which we hear for the first time, if it is to be ours.
    pub(crate) async fn adopt(&self, event: &RoomEvent) -> Result<Option<TenantId>> {
        if matches!(event.content, Content::Left(_)) || event.sender == self.bot() {
            return Ok(None);
        }
        self.adopt_from(&event.room_id, &event.sender).await
    }

    /// The same, with a member of the room who lets us in.
    pub(crate) async fn adopt_from(&self, room: &RoomId, member: &MatrixUserId) -> Result<Option<TenantId>> {
        if self.adoption_rejected.get(room).is_some() {
            return Ok(None);
        }
        let people = self.people([member].into_iter()).await?;
        let Some(host) = people.get(member) else { return Ok(None) };
        match self.try_to_adopt(room, host).await {
            // It may not be read, or nobody may be invited: that will not change soon.
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                tracing::info!(%room, error = &error as &dyn std::error::Error, "a room cannot be adopted");
                self.adoption_rejected.put(room.clone(), ());
                Ok(None)
            }
            result => {
                let adopted = self.in_time(room, result)?;
                if adopted.is_none() {
                    self.adoption_rejected.put(room.clone(), ());
                }
                Ok(adopted.flatten())
            }
        }
    }

    async fn try_to_adopt(&self, room: &RoomId, host: &User) -> Result<Option<TenantId>> {
        let tenant = host.tenant();
        let summary = self.timeline.summary(room, &self.matrix_id(host)).await?;
        if let Some(old) = self.replaced_by(tenant, room, &summary).await? {
            self.take_over(tenant, &old, room, &self.matrix_id(host), &summary).await?;
            return Ok(Some(tenant));
        }
        let others = summary.people.iter().any(|person| person.id != self.matrix_id(host));
        let key = self.key_of_ours(&summary);
        let is_made_here = summary.made_by == self.bot();
        if summary.marks.is_encrypted && !summary.is_space && !summary.is_upgraded {
            self.warn_of_encryption(tenant, room, host, &summary).await?;
            if others {
                self.adoption_rejected.put(room.clone(), ());
            }
            return Ok(None);
        }
        let is_none_to_talk_in = summary.is_space || summary.is_upgraded;
        if is_none_to_talk_in || (is_made_here && key.as_ref().is_none_or(|key| key.tenant != tenant)) {
            self.adoption_rejected.put(room.clone(), ());
            return Ok(None);
        }
        if !others {
            return Ok(None);
        }
        self.timeline.enter(room, &self.matrix_id(host)).await?;
        let people = self.people(summary.people.iter().map(|person| &person.id)).await?;
        let mut users = Vec::new();
        for person in &summary.people {
            let Some(user) = people.get(&person.id).filter(|user| user.tenant() == tenant) else { continue };
            // As everywhere here: who is invited is in.
            if person.is_joined
                || self.comes_in(room, &person.id).await?
                || self.is_in(room, &person.id).await?
            {
                users.push(user);
            }
        }
        let before = self.said_before(room).await?;
        let profile = self.profile(&summary, &people, &users);
        match key {
            Some(key) => self.rooms.register(&key, room, &profile).await.map(drop)?,
            None => self.register_adopted(tenant, room, &summary, &users, &profile).await?,
        }
        tracing::info!(%room, %tenant, is_made_here, "adopted a room");
        // The room is ours by now, so this does not come here again.
        Box::pin(self.receive(before)).await?;
        Ok(Some(tenant))
    }

    /// The key of a room that the bot made for somebody, if that was so long ago that nobody is at it any more.
    fn key_of_ours(&self, summary: &RoomSummary) -> Option<RoomKey> {
        let is_over = summary.made_at < self.clock.now() - MAKING;
        let alias = summary.alias.as_ref().filter(|_| is_over && summary.made_by == self.bot())?;
        let (localpart, server) = alias.strip_prefix('#')?.split_once(':')?;
        RoomKey::of_alias(localpart).filter(|_| server == self.settings.server_name)
    }

    async fn register_adopted(
        &self,
        tenant: TenantId,
        room: &RoomId,
        summary: &RoomSummary,
        users: &[&User],
        profile: &Profile,
    ) -> Result<()> {
        let strangers = summary.people.iter().filter(|person| person.id != self.bot()).count();
        if let [one, other] = users
            && summary.is_direct
            && strangers == users.len()
            && let Some(pair) = Pair::of(one.id(), other.id())
        {
            // Before anything is stored: if it fails, all of this comes again.
            let (one, other) = (self.matrix_id(one), self.matrix_id(other));
            self.membership_calls.show_as_direct(room, &one, &other).await?;
            self.membership_calls.show_as_direct(room, &other, &one).await?;
            let key = RoomKey { tenant, kind: RoomKind::Dm(pair) };
            // A direct chat is called by its partner.
            let profile = Profile { name: None, ..profile.clone() };
            if self.rooms.register(&key, room, &profile).await? == *room {
                return Ok(());
            }
        }
        let key = RoomKey { tenant, kind: RoomKind::Custom { id: room.as_str().to_owned() } };
        self.rooms.register(&key, room, profile).await.map(drop)
    }

    /// A room that we made is ours by now: what was said in it meanwhile was passed over, and is taken in. Nobody waits for
    /// that. What is said in this moment can come before it.
    pub(crate) fn backfill(&self, room: &RoomId) {
        let (messenger, room) = (self.clone(), room.clone());
        self.background.spawn(async move {
            let said = messenger.said_before(&room).await;
            let taken_in = match said {
                Ok(said) => messenger.receive(said).await,
                Err(error) => Err(error),
            };
            if let Err(error) = taken_in {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%room, error, "what was said while a room was being made stands in its history only");
            }
        });
    }

    /// What was said before us, oldest first; of an old room only the last of it.
    pub(crate) async fn said_before(&self, room: &RoomId) -> Result<Vec<RoomEvent>> {
        let (mut events, mut from) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = self.timeline.all_before(room, from.as_deref(), PAGE).await?;
            events.extend(page.events);
            match page.end {
                Some(end) => from = Some(end),
                None => break,
            }
        }
        events.reverse();
        Ok(events)
    }

    /// Somebody in a room of ours was invited by another client: as everywhere here, who is invited is in. An invitation
    /// that is told late may be accepted, declined or withdrawn by now: then it does nothing.
    pub(crate) async fn accept_invitation(&self, tenant: TenantId, event: &RoomEvent) -> Result<()> {
        let Content::Invited(invited) = &event.content else { return Ok(()) };
        if event.sender == self.bot() || self.room_records.former(&event.room_id).await?.is_some() {
            return Ok(());
        }
        let people = self.people([invited].into_iter()).await?;
        let Some(user) = people.get(invited).filter(|user| user.tenant() == tenant) else { return Ok(()) };
        let accepted = self.comes_in(&event.room_id, invited).await;
        if self.in_time(&event.room_id, accepted)? == Some(true) {
            self.memberships.add(tenant, &event.room_id, user.id()).await?;
        }
        Ok(())
    }

    /// Whether they are in by now, as the homeserver says: what is told of it may be late, and another process quicker.
    pub(crate) async fn is_in(&self, room: &RoomId, person: &MatrixUserId) -> Result<bool> {
        match self.membership_calls.rooms_of(person).await {
            Err(error) if error.failure() == Some(Failure::Rejected) => Ok(false),
            rooms => Ok(rooms?.contains(room)),
        }
    }

    /// Whether who is invited has come in by this.
    pub(crate) async fn comes_in(&self, room: &RoomId, invited: &MatrixUserId) -> Result<bool> {
        match self.membership_calls.accept(room, invited).await {
            // The room is closed, or the bot was put out of it.
            Err(error) if error.failure() == Some(Failure::Rejected) => Ok(false),
            accepted => accepted,
        }
    }
}
