//! Encryption: rooms that somebody encrypts later, and encrypted rooms with people who read here only.

use std::sync::Arc;

use crate::{
    app::{
        room_registry::RoomRegistry, rooms::Rooms, transaction_ids::TransactionIds,
        user_directory::UserDirectory,
    },
    domain::{
        error::{Failure, Result},
        id::{RoomId, TenantId},
        matrix_ids::MatrixIds,
        message::People,
        notices,
        room::{Marks, Pair, RoomKey, RoomKind},
        user::User,
    },
    port::{self, Ports, RoomSummary},
};

/// Tells people that they do not get what is sent in an encrypted room.
pub struct Encryption {
    room_records: Arc<dyn port::RoomRecords>,
    room_state: Arc<dyn port::RoomState>,
    timeline: Arc<dyn port::Timeline>,
    homeserver: Arc<dyn port::Homeserver>,
    registry: Arc<RoomRegistry>,
    chats: Arc<Rooms>,
    directory: Arc<UserDirectory>,
    transactions: Arc<TransactionIds>,
    ids: Arc<MatrixIds>,
}

impl Encryption {
    pub(crate) fn new(
        ports: &Ports,
        registry: &Arc<RoomRegistry>,
        chats: &Arc<Rooms>,
        directory: &Arc<UserDirectory>,
        transactions: &Arc<TransactionIds>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            room_records: ports.room_records.clone(),
            room_state: ports.room_state.clone(),
            timeline: ports.timeline.clone(),
            homeserver: ports.homeserver.clone(),
            registry: registry.clone(),
            chats: chats.clone(),
            directory: directory.clone(),
            transactions: transactions.clone(),
            ids: ids.clone(),
        }
    }

    /// Somebody switched encryption on in a room of ours: it is said there, once, and nothing else is sent into it any
    /// more.
    pub(crate) async fn room_was_encrypted(&self, room: &RoomId) -> Result<()> {
        if self.room_records.marks(room).await?.is_none_or(|marks| marks.is_encrypted) {
            return Ok(());
        }
        // Before it is stored: should the process end in between, the same transaction says it once.
        self.announce_in(room, "encrypted", notices::ENCRYPTED).await?;
        self.room_records.mark(room, Marks::ENCRYPTED).await?;
        self.registry.note_encryption(room);
        tracing::info!(%room, "a room was encrypted: nothing is sent into it any more");
        Ok(())
    }

    /// Says in an encrypted room, once, who does not get what is said in it. To two of them their plain chat is offered.
    pub(crate) async fn warn(
        &self,
        tenant: TenantId,
        room: &RoomId,
        host: &User,
        summary: &RoomSummary,
    ) -> Result<()> {
        let people = self.directory.people(summary.people.iter().map(|person| &person.id)).await?;
        let deaf = who_reads_here_only(tenant, summary, &people);
        if deaf.is_empty() || self.room_records.is_warned(room).await? {
            return Ok(());
        }
        self.timeline.enter(room, &self.ids.of(host)).await?;
        let others = summary.people.iter().filter(|person| person.id != self.ids.bot());
        let plain = match deaf[..] {
            [partner] if others.count() == 2 => self.plain_chat(tenant, room, host, partner).await?,
            _ => None,
        };
        let names: Vec<_> = deaf.iter().map(|user| user.identity.display_name.as_str()).collect();
        let text = match plain {
            Some(plain) => notices::unread_chat(&names.join(", "), &plain),
            None => notices::unread_room(&names.join(", ")),
        };
        self.announce_in(room, "unread", &text).await?;
        // It could read nothing in there.
        self.room_state.leave_as_bot(room).await?;
        self.room_records.warned(room).await
    }

    /// The plain chat of two, in which both are told why it is there; `None` if there can be none, or it is encrypted too.
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
            // One of their accounts cannot be used: that is no reason to keep the other rooms waiting.
            Err(error) if !error.is_transient() => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(%room, error, "no plain chat can be offered");
                return Ok(None);
            }
            plain => plain?,
        };
        if self.room_records.marks(&plain).await?.is_some_and(|marks| marks.is_encrypted) {
            return Ok(None);
        }
        let kind = format!("plain {room}");
        self.announce_in(&plain, &kind, &notices::plain_chat(&host.identity.display_name)).await?;
        Ok(Some(plain))
    }

    /// Says something as the bot, once for each `kind`. That the bot may not say it is no error.
    async fn announce_in(&self, room: &RoomId, kind: &str, text: &str) -> Result<()> {
        let transaction = self.transactions.of_notice(room, kind).await?;
        match self.homeserver.send(room, &transaction, &notices::content(text)).await {
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(%room, error, "the bot may not say something in a room");
                Ok(())
            }
            result => result.map(drop),
        }
    }
}

fn who_reads_here_only<'p>(tenant: TenantId, summary: &RoomSummary, people: &'p People) -> Vec<&'p User> {
    let users = summary.people.iter().filter_map(|person| people.get(&person.id));
    users.filter(|user| user.tenant() == tenant && !user.external_client_enabled).collect()
}
