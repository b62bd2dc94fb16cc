//! Reactions of users to messages.

use std::sync::Arc;

use crate::{
    app::{authorization::Authorization, messages::Messages, transaction_ids::TransactionIds},
    domain::{
        error::{Error, Result},
        id::{EventId, RoomId},
        matrix_ids::MatrixIds,
        room::Action,
        room_event::{Content, RoomEvent},
        user::Caller,
    },
    port::{self, Clock, NewReaction, Ports, Relations},
};

/// The engine that adds and removes reactions.
pub struct Reactions {
    relations: Arc<dyn Relations>,
    records: Arc<dyn port::Messages>,
    clock: Arc<dyn Clock>,
    messages: Arc<Messages>,
    authorization: Arc<Authorization>,
    transactions: Arc<TransactionIds>,
    ids: Arc<MatrixIds>,
}

impl Reactions {
    pub(crate) fn new(
        ports: &Ports,
        messages: &Arc<Messages>,
        authorization: &Arc<Authorization>,
        transactions: &Arc<TransactionIds>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            relations: ports.relations.clone(),
            records: ports.messages.clone(),
            clock: ports.clock.clone(),
            messages: messages.clone(),
            authorization: authorization.clone(),
            transactions: transactions.clone(),
            ids: ids.clone(),
        }
    }

    /// Reacts to a message in the name of the caller. Returns the reaction; the present one if the caller has
    /// reacted with this key.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room, %event)
    )]
    pub async fn add(
        &self,
        caller: &Caller,
        room: &RoomId,
        event: &EventId,
        key: &str,
        transaction: Option<&str>,
    ) -> Result<EventId> {
        self.authorization.check_may_write(caller, room).await?;
        self.messages.message(room, event).await?.ok_or(Error::NotFound("message"))?;
        let sender = self.ids.of(&caller.user);
        let reaction = NewReaction { room, of: event, sender: &sender, key };
        if let Some(known) = self.records.reactions_of(reaction).await?.into_iter().next() {
            return Ok(known);
        }
        let act = format!("react {event} {key}");
        let id = self.transactions.of_act(caller.user.id(), room, &act, transaction).await?;
        let timestamp = self.clock.now();
        let sent = match self.relations.react(reaction, &id, timestamp).await {
            Err(error) => return Err(self.messages.refused(caller, room, Action::Send, error).await),
            Ok(sent) => sent,
        };
        let Some(event_id) = sent else {
            // It was sent a moment ago, and is not ingested yet.
            let known = self.relations.reactions(reaction).await?.into_iter().next();
            return known.ok_or_else(|| {
                Error::internal("adding a reaction", "the homeserver has it, and does not return it")
            });
        };
        let content = Content::Reaction { of: event.clone(), key: key.to_owned() };
        let sent = RoomEvent::sent(event_id.clone(), room, sender, timestamp, content);
        self.messages.expect_and_wait(sent).await;
        Ok(event_id)
    }

    /// Removes the caller's reaction with this key. Repeating it changes nothing.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room, %event)
    )]
    pub async fn remove(&self, caller: &Caller, room: &RoomId, event: &EventId, key: &str) -> Result<()> {
        self.authorization.check_may_write(caller, room).await?;
        let sender = self.ids.of(&caller.user);
        let reaction = NewReaction { room, of: event, sender: &sender, key };
        if !event.is_well_formed() {
            return Err(Error::NotFound("message"));
        }
        let mut known = self.records.reactions_of(reaction).await?;
        if known.is_empty() {
            // It may not be ingested yet.
            known = self.relations.reactions(reaction).await?;
        }
        for own in known {
            self.messages.redact_event(caller, room, &own, &sender, None).await?;
        }
        Ok(())
    }
}
