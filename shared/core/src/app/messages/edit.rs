//! Edits and redacts messages.

use std::{iter, net::IpAddr};

use crate::{
    app::messages::{Messages, OutgoingEvent, fitting, in_milliseconds},
    domain::{
        admin::{Administrator, Redaction},
        error::{Error, Result},
        id::{EventId, MatrixUserId, RoomId},
        message::{Message, MessageContent, OutgoingMessage, TEXT_TYPES},
        origin::RequestId,
        room::{Action, forbidden},
        room_event::{Content, RoomEvent},
        user::{Caller, Role},
    },
};

impl Messages {
    /// Gives a text of the caller a new content. Its type and its `reply_to` stay.
    ///
    /// A repeated `transaction` of the same user for the same message edits once.
    ///
    /// # Errors
    /// `not_your_message` for a message of another user, `message_not_editable` for one with a file, and
    /// `idempotency_mismatch` if the transaction gave the message another content.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room, %event)
    )]
    pub async fn edit(
        &self,
        caller: &Caller,
        room: &RoomId,
        event: &EventId,
        message: OutgoingMessage,
        transaction: Option<&str>,
    ) -> Result<Message> {
        self.authorization.check_may_write(caller, room).await?;
        let (original, msg_type) = self.own_text(caller, room, event).await?;
        let mentioned = self.mentioned(caller, room, &message.mentions).await?;
        let mentions = message.mentions.clone();
        let content = MessageContent { msg_type, ..message.into_content(mentioned, None) };
        let (content, event_content) = fitting(content, |content| content.replacement(event))?;
        let act = format!("edit {event}");
        let id = self.transactions.of_act(caller.user.id(), room, &act, transaction).await?;
        let outgoing = OutgoingEvent { id, may_be_retry: transaction.is_some(), content: event_content };
        let edit = Content::Edited { of: event.clone(), content: content.clone() };
        self.send_event(caller, room, outgoing, edit).await?;
        // The caller sees the edit in the next answer.
        self.echoes.wait_in(iter::once(room)).await;
        let edited = original.with_edit(Some(content)).message(caller.user.display_name.clone(), mentions);
        Ok(Message { is_edited: true, ..edited.ok_or(Error::NotFound("message"))? })
    }

    /// Redacts a message of the caller, or of anybody if the caller is an administrator. Repeating it changes
    /// nothing.
    ///
    /// The redaction of another user's message is in the audit log before the homeserver is called: no
    /// process that ends in between leaves one without an entry. The entry names the address and the id of
    /// the request.
    ///
    /// # Errors
    /// `not_your_message` for a message of another user.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room, %event)
    )]
    pub async fn redact(
        &self,
        caller: &Caller,
        room: &RoomId,
        event: &EventId,
        reason: Option<&str>,
        (address, request_id): (IpAddr, Option<RequestId>),
    ) -> Result<()> {
        let role = self.authorization.check_may_write(caller, room).await?;
        if !event.is_well_formed() {
            return Err(Error::NotFound("message"));
        }
        let message = self.relations.redactable(room, event).await?.ok_or(Error::NotFound("message"))?;
        if message.is_redacted {
            return Ok(());
        }
        let user = self.ids.of(&caller.user);
        // In the rooms of this service, the bot has the power to redact messages of others.
        let sender = match role {
            _ if message.sender == user => user,
            Role::Admin => {
                let (actor, tenant) = (caller.user.id().clone(), caller.user.tenant());
                let administrator = Administrator { actor, tenant, is_super: false, address, request_id };
                let redaction = Redaction { room, message: event, sender: &message.sender, reason };
                self.records.record_redaction(&administrator, redaction).await?;
                self.ids.bot()
            }
            _ => return Err(not_yours()),
        };
        self.redact_event(caller, room, event, &sender, reason).await
    }

    /// Redacts an event as the caller or the bot, and waits until the redaction is ingested.
    pub(crate) async fn redact_event(
        &self,
        caller: &Caller,
        room: &RoomId,
        event: &EventId,
        sender: &MatrixUserId,
        reason: Option<&str>,
    ) -> Result<()> {
        let act = format!("redact {event}");
        let id = self.transactions.of_act(caller.user.id(), room, &act, Some("")).await?;
        let event_id = match self.relations.redact(room, event, sender, &id, reason).await {
            Err(error) => return Err(self.refused(caller, room, Action::Other, error).await),
            Ok(redaction) => redaction,
        };
        let timestamp = in_milliseconds(self.clock.now());
        let content = Content::Redacted { of: event.clone() };
        self.expect_and_wait(RoomEvent::sent(event_id, room, sender.clone(), timestamp, content)).await;
        Ok(())
    }

    /// Returns a text of the caller, with its type.
    async fn own_text(&self, caller: &Caller, room: &RoomId, event: &EventId) -> Result<(RoomEvent, String)> {
        let found = self.message(room, event).await?.ok_or(Error::NotFound("message"))?;
        let Content::Message(content) = &found.content else { return Err(Error::NotFound("message")) };
        if found.sender != self.ids.of(&caller.user) {
            return Err(not_yours());
        }
        if content.file.is_some() || !TEXT_TYPES.contains(&content.msg_type.as_str()) {
            return Err(Error::Conflict {
                code: "message_not_editable",
                detail: "only texts can be edited: redact the message and send another one".into(),
                retry_after: None,
            });
        }
        let msg_type = content.msg_type.clone();
        Ok((found, msg_type))
    }

    /// Has an event of this service ingested soon, and waits for that for a short time, so that the caller
    /// sees its effect in the next answer.
    pub(crate) async fn expect_and_wait(&self, event: RoomEvent) {
        let room = event.room_id.clone();
        self.expect_echo(event);
        self.echoes.wait_in(iter::once(&room)).await;
    }

    /// Returns the reason why the homeserver refused an act of the caller.
    pub(crate) async fn refused(
        &self,
        caller: &Caller,
        room: &RoomId,
        action: Action,
        error: Error,
    ) -> Error {
        self.authorization.explain(caller, room, &caller.user, action, error).await
    }
}

fn not_yours() -> Error {
    forbidden("not_your_message", "this message is of somebody else: only its sender may change it")
}
