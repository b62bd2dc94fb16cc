//! What the homeserver tells us: messages, their changes and memberships, from whatever client. Each event counts once,
//! however often it is told and from wherever: by the answer to a send of ours, by the homeserver's push, or by
//! reconciliation.
//!
//! # Order
//! The log has the order of the room as long as each source hands over a room's events in that room's order and without
//! a hole, beginning where the others have arrived; then whoever comes first with an event has also brought, or found,
//! everything before it.
//! * Once the homeserver has a message of ours, its sender is answered; the homeserver pushes the message back to us. If
//!   push is late, everything is taken in that stands in the room since the reconciled position
//!   ([`reconcile`](crate::reconcile)), and the message with it (`echo.rs`).
//! * Reconciliation reads on from its position, and fills what the homeserver leaves out.
//! * Push is in order, but a homeserver that is killed can lose one and go on with the next after its restart. So the first
//!   push of a room on a new connection is ingested after everything since the reconciled position (`push.rs`, where the
//!   bounds of this are). The order of the log can differ from the room's only if a push is lost on a connection that goes
//!   on, and the next one comes before the worker's reading: after a quarter of a second, or the seconds of a takeover.

mod edit;
mod interpret;
mod push;
mod quarantine;
mod read;

use jiff::Timestamp;

use crate::{
    Error, Messenger, Result,
    error::Failure,
    id::{EventId, MatrixUserId, RoomId, TenantId},
    message::MessageContent,
    port::{Change, IngestedEvent},
};

pub(crate) use {push::Pushes, quarantine::Quarantine};

pub use push::ConnectionId;
pub use read::{MESSAGES, timestamp};

/// How many events are taken in at once.
const BATCH: usize = 100;

/// An event of a room, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    /// Its id.
    pub event_id: EventId,
    /// Where.
    pub room_id: RoomId,
    /// Who.
    pub sender: MatrixUserId,
    /// When the homeserver got it.
    pub timestamp: Timestamp,
    /// What, as it was at first.
    pub content: Content,
    /// What a message says now, if it was edited and the homeserver says so along with it. The edit is an event of its
    /// own, which may be taken back.
    pub edited: Option<MessageContent>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// `m.room.message`; a sticker, as an image; a poll, as the text that stands for it.
    Message(MessageContent),
    /// An edit (Matrix specification, "Event replacements").
    Edited {
        /// The message that is replaced.
        of: EventId,
        /// What it says now.
        said: MessageContent,
    },
    /// `m.room.redaction`.
    Redacted {
        /// What is gone.
        of: EventId,
    },
    /// `m.reaction`.
    Reaction {
        /// To what.
        of: EventId,
        /// Mostly an emoji.
        key: String,
    },
    /// `m.room.member` with `membership: join`.
    Joined(MatrixUserId),
    /// `m.room.member` with `leave` or `ban`.
    Left(MatrixUserId),
    /// `m.room.member` with `invite`.
    Invited(MatrixUserId),
    /// `m.room.name`.
    Named(String),
    /// `m.room.topic`.
    Topic(String),
    /// `m.room.encryption`.
    Encrypted,
    /// `m.room.history_visibility`.
    HistoryVisibility {
        /// Whether it keeps what was said before from who comes in later: `joined` or `invited`.
        is_restricted: bool,
    },
    /// `m.room.tombstone`.
    Upgraded,
}

impl Messenger {
    /// Takes over what happened in rooms, in the order in which it is told. Rooms that people made elsewhere
    /// become ours; what happened in other rooms is passed over. Of a room over which the homeserver fails nothing more is
    /// taken in, and the failure is told once everything else is: to be called again with the same.
    pub async fn receive(&self, events: Vec<RoomEvent>) -> Result<()> {
        let mut quarantine = Quarantine::default();
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let mut batch: Vec<RoomEvent> = Vec::new();
            while let Some(event) =
                events.next_if(|event| batch.len() < BATCH && !event.undoes_one_of(&batch))
            {
                batch.push(event);
            }
            self.receive_batch(batch, &mut quarantine).await?;
        }
        quarantine.into_result()
    }

    async fn receive_batch(&self, events: Vec<RoomEvent>, quarantine: &mut Quarantine) -> Result<()> {
        let mut ours = Vec::with_capacity(events.len());
        for event in events {
            if quarantine.holds(&event.room_id) {
                continue;
            }
            match self.tenant_or_adopt(&event).await {
                Ok(tenant) => ours.extend(tenant.map(|tenant| (tenant, event))),
                Err(error) => quarantine.hold(&event.room_id, error)?,
            }
        }
        let people = self.people(ours.iter().flat_map(|(_, event)| event.people())).await?;
        let mut messages = Vec::new();
        let mut taken = Vec::with_capacity(ours.len());
        for (tenant, event) in ours {
            if quarantine.holds(&event.room_id) {
                continue;
            }
            match self.interpret(tenant, event.clone(), &people).await {
                Ok(interpreted) => taken.extend(interpreted),
                Err(error) => {
                    quarantine.hold(&event.room_id, error)?;
                    continue;
                }
            }
            if matches!(event.content, Content::Message(_)) {
                messages.push(event);
            }
        }
        if !taken.is_empty() {
            self.ingest(&taken).await?;
            self.echoes.arrived(&messages);
            self.forget_redacted(&taken);
        }
        Ok(())
    }

    async fn tenant_or_adopt(&self, event: &RoomEvent) -> Result<Option<TenantId>> {
        match self.tenant_of(&event.room_id).await? {
            Some(tenant) => Ok(Some(tenant)),
            None => self.adopt(event).await,
        }
    }

    /// Takes them in all at once; one by one if the database refuses one of them, which would come back for ever.
    async fn ingest(&self, taken: &[IngestedEvent]) -> Result<()> {
        let is_refused = |error: &Error| error.failure() == Some(Failure::Rejected);
        match self.messages.ingest(taken).await {
            Err(error) if is_refused(&error) => {}
            result => return result.map(drop),
        }
        for one in taken {
            match self.messages.ingest(std::slice::from_ref(one)).await {
                Err(error) if is_refused(&error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(event = %one.event_id, room = %one.room, error, "an event that cannot be stored is passed over");
                }
                result => drop(result?),
            }
        }
        Ok(())
    }

    /// Drops what this process remembers of redacted messages.
    fn forget_redacted(&self, taken: &[IngestedEvent]) {
        for event in taken {
            if let Change::Redacted { of } | Change::RedactedEdit { edit: of } = &event.change {
                self.echoes.forget(of);
                self.attempts.remove_if(|attempt| attempt.as_ref().is_some_and(|sent| sent.event_id == *of));
            }
        }
    }

    /// Whose room it is. Costs no I/O once known to this process.
    pub(crate) async fn tenant_of(&self, room: &RoomId) -> Result<Option<TenantId>> {
        if let Some(tenant) = self.tenants.get(room) {
            return Ok(Some(tenant));
        }
        let tenant = self.rooms.tenant_of(room).await?;
        if let Some(tenant) = tenant {
            self.tenants.put(room.clone(), tenant);
        }
        Ok(tenant)
    }
}

impl RoomEvent {
    /// What is taken back, and who comes in, must be stored before the contrary is judged.
    fn undoes_one_of(&self, batch: &[Self]) -> bool {
        batch.iter().any(|event| match (&self.content, &event.content) {
            (Content::Redacted { of }, _) => event.event_id == *of,
            (Content::Left(out), Content::Joined(into)) => out == into && self.room_id == event.room_id,
            _ => false,
        })
    }

    /// Who has to do with it.
    fn people(&self) -> impl Iterator<Item = &MatrixUserId> {
        let subject = match &self.content {
            Content::Joined(user) | Content::Left(user) | Content::Invited(user) => Some(user),
            _ => None,
        };
        [Some(&self.sender), subject].into_iter().flatten()
    }
}
