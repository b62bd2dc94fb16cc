//! Notices about encryption: the service cannot read encrypted rooms, and posts a notice there.

use std::sync::Arc;

use crate::{
    app::{room_registry::RoomRegistry, rooms::Rooms, user_directory::UserDirectory},
    domain::{
        error::Result,
        id::{RoomId, TenantId},
        matrix_ids::MatrixIds,
        message::People,
        notices,
        room::{Marks, Pair, RoomKey, RoomKind},
        user::User,
    },
    port::{self, Ports, RoomSummary},
    sync::bot_notices::BotNotices,
};

/// The engine that posts notices in encrypted rooms, for members who do not receive the messages there.
pub struct Encryption {
    room_marks: Arc<dyn port::RoomMarks>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    registry: Arc<RoomRegistry>,
    chats: Arc<Rooms>,
    directory: Arc<UserDirectory>,
    notices: Arc<BotNotices>,
    ids: Arc<MatrixIds>,
}

impl Encryption {
    pub(crate) fn new(
        ports: &Ports,
        registry: &Arc<RoomRegistry>,
        chats: &Arc<Rooms>,
        directory: &Arc<UserDirectory>,
        notices: &Arc<BotNotices>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            room_marks: ports.room_marks.clone(),
            membership_calls: ports.membership_calls.clone(),
            registry: registry.clone(),
            chats: chats.clone(),
            directory: directory.clone(),
            notices: notices.clone(),
            ids: ids.clone(),
        }
    }

    /// Marks a known room as encrypted after a notice in it. From then on nothing is sent to the room.
    pub(crate) async fn room_was_encrypted(&self, room: &RoomId) -> Result<()> {
        if self.room_marks.marks(room).await?.is_none_or(|marks| marks.is_encrypted) {
            return Ok(());
        }
        // The notice comes before the mark. If the process ends in between, the repeated notice has the same
        // transaction id, so that it stands in the room once.
        self.notices.post(room, "encrypted", notices::ENCRYPTED).await?;
        self.room_marks.mark(room, Marks::ENCRYPTED).await?;
        self.registry.note_encryption(room);
        tracing::info!(%room, "room was encrypted; nothing is sent to it any more");
        Ok(())
    }

    /// Posts a notice in an encrypted room, once, with the members who do not receive its messages. If the
    /// room has two members, the notice offers their unencrypted chat.
    pub(crate) async fn warn(
        &self,
        tenant: TenantId,
        room: &RoomId,
        host: &User,
        summary: &RoomSummary,
    ) -> Result<()> {
        let people = self.directory.people(summary.people.iter().map(|person| &person.id)).await?;
        let unreached = users_of_this_client_only(tenant, summary, &people);
        if unreached.is_empty() || self.room_marks.is_warned(room).await? {
            return Ok(());
        }
        self.membership_calls.enter(room, &self.ids.of(host)).await?;
        let others = summary.people.iter().filter(|person| person.id != self.ids.bot());
        let plain = match unreached[..] {
            [partner] if others.count() == 2 => self.plain_chat(tenant, room, host, partner).await?,
            _ => None,
        };
        let names: Vec<_> = unreached.iter().map(|user| user.display_name.as_str()).collect();
        let text = match plain {
            Some(plain) => notices::unread_chat(&names.join(", "), &plain),
            None => notices::unread_room(&names.join(", ")),
        };
        self.notices.post(room, "unread", &text).await?;
        // The bot cannot read the messages of the room.
        self.membership_calls.leave_as_bot(room).await?;
        self.room_marks.warned(room).await
    }

    /// Returns the unencrypted chat of two users, after a notice in it about its purpose. Returns `None` if
    /// there can be none, or if it is encrypted, too.
    async fn plain_chat(
        &self,
        tenant: TenantId,
        room: &RoomId,
        host: &User,
        partner: &User,
    ) -> Result<Option<RoomId>> {
        let Some(pair) = Pair::of(host.id(), partner.id()) else { return Ok(None) };
        let key = RoomKey { tenant, kind: RoomKind::Dm(pair) };
        let plain = match self.chats.direct_chat(&key, [host, partner]).await {
            // An account that cannot be used must not hold back other rooms.
            Err(error) if !error.is_transient() => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(%room, error, "unencrypted chat cannot be offered");
                return Ok(None);
            }
            plain => plain?,
        };
        if self.room_marks.marks(&plain).await?.is_some_and(|marks| marks.is_encrypted) {
            return Ok(None);
        }
        let kind = format!("plain {room}");
        self.notices.post(&plain, &kind, &notices::plain_chat(&host.display_name)).await?;
        Ok(Some(plain))
    }
}

/// Returns the members of the tenant who cannot use another Matrix client.
fn users_of_this_client_only<'p>(
    tenant: TenantId,
    summary: &RoomSummary,
    people: &'p People,
) -> Vec<&'p User> {
    let users = summary.people.iter().filter_map(|person| people.get(&person.id));
    users.filter(|user| user.tenant() == tenant && !user.external_client_enabled).collect()
}
