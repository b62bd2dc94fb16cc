//! Sends messages of users, once for each transaction of a client.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    app::{authorization::Authorization, transaction_ids::TransactionIds},
    domain::{
        error::{Error, Result},
        id::{EventId, RoomId},
        matrix_ids::MatrixIds,
        message::{Message, MessageContent},
        rendering::no_mentions,
        room::Action,
        room_event::{Content, RoomEvent},
        user::Caller,
    },
    live::{
        cache::Cache,
        echoes::Echoes,
        follow_ups::{FollowUp, FollowUps},
    },
    port::{self, Clock, EphemeralEvents, Ports, Timeline},
};

/// The most bytes of a message's content. A whole event may have 65 536 bytes.
const CONTENT_MAX: usize = 60_000;

/// The time for which this process remembers the message of a client's transaction. Ingested messages are
/// known for longer.
const ATTEMPT_FOR: Duration = Duration::from_mins(1);

/// The message that a client's transaction sent; `None` while it is being sent.
type Attempt = Option<RoomEvent>;

/// The engine that sends messages and typing notifications of users.
pub struct Messages {
    timeline: Arc<dyn Timeline>,
    records: Arc<dyn port::Messages>,
    ephemeral_events: Arc<dyn EphemeralEvents>,
    clock: Arc<dyn Clock>,
    authorization: Arc<Authorization>,
    transactions: Arc<TransactionIds>,
    ids: Arc<MatrixIds>,
    echoes: Arc<Echoes>,
    follow_ups: FollowUps,
    /// Recent attempts by Matrix transaction id.
    attempts: Cache<String, Attempt>,
}

impl Messages {
    pub(crate) fn new(
        ports: &Ports,
        authorization: &Arc<Authorization>,
        transactions: &Arc<TransactionIds>,
        ids: &Arc<MatrixIds>,
        echoes: &Arc<Echoes>,
        follow_ups: &FollowUps,
    ) -> Self {
        Self {
            timeline: ports.timeline.clone(),
            records: ports.messages.clone(),
            ephemeral_events: ports.ephemeral_events.clone(),
            clock: ports.clock.clone(),
            authorization: authorization.clone(),
            transactions: transactions.clone(),
            ids: ids.clone(),
            echoes: echoes.clone(),
            follow_ups: follow_ups.clone(),
            attempts: Cache::with_ttl(ATTEMPT_FOR),
        }
    }

    /// Sends a message in the name of the caller, who must be a member of the room with the right to write.
    ///
    /// A repeated `transaction` of the same user in the same room returns the first message, for at least a
    /// day.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room)
    )]
    pub async fn send(
        &self,
        caller: &Caller,
        room: &RoomId,
        content: MessageContent,
        transaction: Option<&str>,
    ) -> Result<Message> {
        self.authorization.check_may_write(caller, room).await?;
        self.send_content(caller, room, content, transaction).await
    }

    /// Reports to the homeserver that the caller types for this time, or has stopped typing (`None`).
    ///
    /// The caller must be a member of the room with the right to write. The homeserver publishes it to all
    /// clients, and to this service.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room)
    )]
    pub async fn set_typing(&self, caller: &Caller, room: &RoomId, duration: Option<Duration>) -> Result<()> {
        self.authorization.check_may_write(caller, room).await?;
        match self.ephemeral_events.set_typing(room, &self.ids.of(&caller.user), duration).await {
            Err(error) => {
                Err(self.authorization.explain(caller, room, &caller.user, Action::Other, error).await)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Sends content whose sender was checked. Returns as soon as the homeserver has the message; its live
    /// event and the lists of rooms follow when it is ingested ([`expect_echo`](Self::expect_echo)).
    pub(crate) async fn send_content(
        &self,
        caller: &Caller,
        room: &RoomId,
        content: MessageContent,
        transaction: Option<&str>,
    ) -> Result<Message> {
        let mut event_content = content.content();
        event_content["m.mentions"] = no_mentions();
        let size = event_content.to_string().len();
        if size > CONTENT_MAX {
            let problem =
                format!("is too long for one message: {size} bytes, at most {CONTENT_MAX} are possible");
            return Err(Error::invalid("/body", problem));
        }
        let sender = self.ids.of(&caller.user);
        let id = self.transactions.of_message(caller.user.id(), room, transaction).await?;
        let earlier = transaction.and_then(|_| self.attempts.get(&id));
        if transaction.is_some() && earlier.is_none() {
            self.attempts.put(id.clone(), None);
        }
        let timestamp = in_milliseconds(self.clock.now());
        let event_id = match self.timeline.send_as(room, &sender, &id, timestamp, &event_content).await {
            Err(error) => {
                return Err(self
                    .authorization
                    .explain(caller, room, &caller.user, Action::Send, error)
                    .await);
            }
            Ok(event) => event,
        };
        let (room_id, content) = (room.clone(), Content::Message(content));
        let sent =
            RoomEvent { event_id, room_id, sender, timestamp, content, edited: None, notification: None };
        let event = self.first_sent(sent, transaction.is_some(), earlier).await;
        if transaction.is_some() {
            self.attempts.put(id, Some(event.clone()));
        }
        let name = caller.user.display_name.clone();
        event.message(name).ok_or(Error::NotFound("message"))
    }

    /// Returns the message as it was sent first, if this was a retry, and otherwise has the sent message
    /// ingested soon.
    ///
    /// If the first message cannot be read, the sent one is returned, because the homeserver has it. A retry
    /// of a message that another process sent is recognised only after that message was ingested.
    async fn first_sent(&self, sent: RoomEvent, may_be_retry: bool, earlier: Option<Attempt>) -> RoomEvent {
        // Push may have been faster than the homeserver's response.
        if let Some(received) = self.echoes.received(&sent.event_id) {
            return received;
        }
        let stored = async || {
            let event = self.timeline.event(&sent.room_id, &sent.event_id).await;
            event.ok().flatten()
        };
        let first = match earlier {
            Some(Some(first)) => return first,
            Some(None) => stored().await,
            None if may_be_retry && self.records.is_ingested(&sent.event_id).await.unwrap_or(false) => {
                return stored().await.unwrap_or(sent);
            }
            None => None,
        };
        let event = first.unwrap_or(sent);
        self.expect_echo(event.clone());
        event
    }

    /// Drops the cached copies of a redacted message.
    pub(crate) fn forget(&self, event: &EventId) {
        self.echoes.forget(event);
        self.attempts.remove_if(|attempt| attempt.as_ref().is_some_and(|sent| sent.event_id == *event));
    }

    /// Has an event of this service ingested soon.
    fn expect_echo(&self, event: RoomEvent) {
        if self.echoes.expect(&event) {
            self.follow_ups.push(FollowUp::Echo(Box::new(event)));
        }
    }
}

/// Returns a time with the precision of homeservers, milliseconds.
fn in_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
