//! Rooms that people make with other Matrix clients become rooms of ours when we first hear of them: the bot comes in,
//! the room belongs to the tenant of who let it in, and a direct chat of two is *the* direct chat of these two unless they
//! have one already. So do rooms that this service was making when its process ended: the homeserver has them, we do not.
//!
//! Left alone are rooms in which nobody else is yet, which are encrypted (we could read nothing in them: see
//! `encryption.rs`) or spaces (they hold rooms, and no messages), which were replaced by another, and which the bot is
//! just making. The successor of a room of ours takes its place (`upgrades.rs`).
//!
//! # Why within the push
//! The homeserver waits for our answer while we ask it about the room, so the events behind this one wait, too; once for
//! each room. A worker that adopted later would let them pass: what is said in the room meanwhile would stand in the log
//! before the history that is taken over, or would have to be kept back room by room, and the event by which we heard of
//! the room would be answered before anything keeps it. So long as it is not answered, the homeserver tells it again, in
//! order, however often we fail: nothing that is known of the room has to be stored until all of it is. What a room is to
//! us is stored in one act with its members; only the events of before can be missing if the process ends right after it,
//! and these are in the history.

mod profile;

use std::{sync::Arc, time::Duration};

use crate::{
    app::user_directory::UserDirectory,
    domain::{
        error::{Failure, Result},
        id::{MatrixUserId, RoomId, TenantId},
        matrix_ids::MatrixIds,
        room::{Pair, Profile, RoomKey, RoomKind},
        room_event::{Content, RoomEvent},
        user::User,
    },
    live::cache::Cache,
    port::{self, Ports, RoomSummary},
    sync::{
        backfill::Backfill, encryption::Encryption, invitations::Invitations, quarantine::RoomFailures,
        upgrades::Upgrades,
    },
};

/// How long making a room may take at the most, whatever fails.
const MAKING: Duration = Duration::from_mins(5);
/// How long a room that cannot be adopted is left alone.
const ADOPTION_REJECTED_FOR: Duration = Duration::from_mins(1);

/// An adopted room.
#[derive(Debug)]
pub(crate) struct Adoption {
    /// The tenant that the room belongs to.
    pub(crate) tenant: TenantId,
    /// The events from before the adoption, which are still to be ingested: oldest first.
    pub(crate) backlog: Vec<RoomEvent>,
}

/// Adopts rooms.
pub struct Adopt {
    timeline: Arc<dyn port::Timeline>,
    rooms: Arc<dyn port::Rooms>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    clock: Arc<dyn port::Clock>,
    directory: Arc<UserDirectory>,
    encryption: Arc<Encryption>,
    upgrades: Arc<Upgrades>,
    invitations: Arc<Invitations>,
    backfill: Arc<Backfill>,
    failures: Arc<RoomFailures>,
    ids: Arc<MatrixIds>,
    /// Rooms that could not be adopted a short while ago.
    adoption_rejected: Cache<RoomId, ()>,
}

/// The engines that [`Adopt`] is made of.
pub(crate) struct Parts<'p> {
    pub(crate) directory: &'p Arc<UserDirectory>,
    pub(crate) encryption: &'p Arc<Encryption>,
    pub(crate) upgrades: &'p Arc<Upgrades>,
    pub(crate) invitations: &'p Arc<Invitations>,
    pub(crate) backfill: &'p Arc<Backfill>,
    pub(crate) failures: &'p Arc<RoomFailures>,
}

impl Adopt {
    pub(crate) fn new(ports: &Ports, engines: &Parts<'_>, ids: &Arc<MatrixIds>) -> Self {
        Self {
            timeline: ports.timeline.clone(),
            rooms: ports.rooms.clone(),
            membership_calls: ports.membership_calls.clone(),
            clock: ports.clock.clone(),
            directory: engines.directory.clone(),
            encryption: engines.encryption.clone(),
            upgrades: engines.upgrades.clone(),
            invitations: engines.invitations.clone(),
            backfill: engines.backfill.clone(),
            failures: engines.failures.clone(),
            ids: ids.clone(),
            adoption_rejected: Cache::with_ttl(ADOPTION_REJECTED_FOR),
        }
    }

    /// The tenant of a room of which we hear for the first time, if it is to be ours.
    pub(crate) async fn adopt(&self, event: &RoomEvent) -> Result<Option<Adoption>> {
        if matches!(event.content, Content::Left(_)) || event.sender == self.ids.bot() {
            return Ok(None);
        }
        self.adopt_from(&event.room_id, &event.sender).await
    }

    /// The same, with a member of the room who lets us in.
    pub(crate) async fn adopt_from(&self, room: &RoomId, member: &MatrixUserId) -> Result<Option<Adoption>> {
        if self.adoption_rejected.get(room).is_some() {
            return Ok(None);
        }
        let people = self.directory.people([member].into_iter()).await?;
        let Some(host) = people.get(member) else { return Ok(None) };
        match self.try_to_adopt(room, host).await {
            // It may not be read, or nobody may be invited: that will not change soon.
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                tracing::info!(%room, error = &error as &dyn std::error::Error, "a room cannot be adopted");
                self.adoption_rejected.put(room.clone(), ());
                Ok(None)
            }
            result => {
                let adopted = self.failures.in_time(room, result)?;
                if adopted.is_none() {
                    self.adoption_rejected.put(room.clone(), ());
                }
                Ok(adopted.flatten())
            }
        }
    }

    async fn try_to_adopt(&self, room: &RoomId, host: &User) -> Result<Option<Adoption>> {
        let tenant = host.tenant();
        let summary = self.timeline.summary(room, &self.ids.of(host)).await?;
        if let Some(old) = self.upgrades.replaced_by(tenant, room, &summary).await? {
            let backlog = self.upgrades.take_over(tenant, &old, room, &self.ids.of(host), &summary).await?;
            return Ok(Some(Adoption { tenant, backlog }));
        }
        let others = summary.people.iter().any(|person| person.id != self.ids.of(host));
        let key = self.key_of_ours(&summary);
        let is_made_here = summary.made_by == self.ids.bot();
        if summary.marks.is_encrypted && !summary.is_space && !summary.is_upgraded {
            self.encryption.warn(tenant, room, host, &summary).await?;
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
        self.timeline.enter(room, &self.ids.of(host)).await?;
        let people = self.directory.people(summary.people.iter().map(|person| &person.id)).await?;
        let mut users = Vec::new();
        for person in &summary.people {
            let Some(user) = people.get(&person.id).filter(|user| user.tenant() == tenant) else { continue };
            // As everywhere here: who is invited is in.
            if person.is_joined
                || self.invitations.accept(room, &person.id).await?
                || self.invitations.is_in(room, &person.id).await?
            {
                users.push(user);
            }
        }
        let backlog = self.backfill.recent(room).await?;
        let profile = self.profile(&summary, &people, &users);
        match key {
            Some(key) => self.rooms.register(&key, room, &profile).await.map(drop)?,
            None => self.register_adopted(tenant, room, &summary, &users, &profile).await?,
        }
        tracing::info!(%room, %tenant, is_made_here, "adopted a room");
        Ok(Some(Adoption { tenant, backlog }))
    }

    /// The key of a room that the bot made for somebody, if that was so long ago that nobody is at it any more.
    fn key_of_ours(&self, summary: &RoomSummary) -> Option<RoomKey> {
        let is_over = summary.made_at < self.clock.now() - MAKING;
        let alias = summary.alias.as_ref().filter(|_| is_over && summary.made_by == self.ids.bot())?;
        let (localpart, server) = alias.strip_prefix('#')?.split_once(':')?;
        RoomKey::of_alias(localpart).filter(|_| server == self.ids.server_name())
    }

    async fn register_adopted(
        &self,
        tenant: TenantId,
        room: &RoomId,
        summary: &RoomSummary,
        users: &[&User],
        profile: &Profile,
    ) -> Result<()> {
        let strangers = summary.people.iter().filter(|person| person.id != self.ids.bot()).count();
        if let [one, other] = users
            && summary.is_direct
            && strangers == users.len()
            && let Some(pair) = Pair::of(one.id(), other.id())
        {
            // Before anything is stored: if it fails, all of this comes again.
            let (one, other) = (self.ids.of(one), self.ids.of(other));
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
}
