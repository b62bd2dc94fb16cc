//! Sends messages of users, once for each transaction of a client; edits and redacts them.

mod edit;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    app::{authorization::Authorization, transaction_ids::TransactionIds},
    domain::{
        error::{Error, Problem, Result},
        id::{EventId, HubUserId, MatrixUserId, RoomId},
        matrix_ids::MatrixIds,
        message::{Mentions, Message, MessageContent, OutgoingMessage},
        room::Action,
        room_event::{Content, RoomEvent},
        user::Caller,
    },
    live::{
        cache::Cache,
        echoes::Echoes,
        follow_ups::{FollowUp, FollowUps},
    },
    port::{self, Clock, EphemeralEvents, Ports, Relations, Timeline},
};

/// The most bytes of a message's content. A whole event may have 65 536 bytes.
const CONTENT_MAX: usize = 60_000;

/// The time for which this process remembers the event of a client's transaction. Ingested events are known
/// for longer.
const ATTEMPT_FOR: Duration = Duration::from_mins(1);

/// The message or edit that a client's transaction sent; `None` while it is being sent.
type Attempt = Option<RoomEvent>;

/// An event as it is sent to the homeserver.
struct OutgoingEvent {
    /// The Matrix transaction id.
    id: String,
    /// Whether the client named the transaction, so that it may have sent the event before.
    may_be_retry: bool,
    /// The content on the wire.
    content: Value,
}

/// The engine that sends messages and typing notifications of users.
pub struct Messages {
    timeline: Arc<dyn Timeline>,
    relations: Arc<dyn Relations>,
    records: Arc<dyn port::Messages>,
    room_views: Arc<dyn port::RoomViews>,
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
            relations: ports.relations.clone(),
            records: ports.messages.clone(),
            room_views: ports.room_views.clone(),
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
    ///
    /// # Errors
    /// Names the users it mentions who are no members (`unknown_user`), and `reply_to` if the room has no such
    /// message. `idempotency_mismatch` if the transaction sent another message.
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(tenant = %caller.user.tenant(), user = %caller.user.id(), %room)
    )]
    pub async fn send(
        &self,
        caller: &Caller,
        room: &RoomId,
        message: OutgoingMessage,
        transaction: Option<&str>,
    ) -> Result<Message> {
        self.authorization.check_may_write(caller, room).await?;
        if let Some(replied) = &message.reply_to {
            self.check_reply(room, replied).await?;
        }
        let mentioned = self.mentioned(caller, room, &message.mentions).await?;
        let mentions = message.mentions.clone();
        let content = message.into_content(mentioned, transaction);
        self.send_content(caller, room, content, mentions).await
    }

    /// Checks that a room has a message to which the caller replies.
    async fn check_reply(&self, room: &RoomId, replied: &EventId) -> Result<()> {
        match self.message(room, replied).await? {
            Some(_) => Ok(()),
            None => Err(Error::invalid("/reply_to", "must be the event_id of a message of this room")),
        }
    }

    /// Returns a message as it was sent; `None` if the room has no such message, or if it is redacted.
    pub(crate) async fn message(&self, room: &RoomId, event: &EventId) -> Result<Option<RoomEvent>> {
        if !event.is_well_formed() {
            return Ok(None);
        }
        let event = self.timeline.event(room, event).await?;
        Ok(event.filter(|event| matches!(event.content, Content::Message(_))))
    }

    /// Returns the Matrix ids of the mentioned users, who must be members of the room.
    async fn mentioned(
        &self,
        caller: &Caller,
        room: &RoomId,
        mentions: &Mentions<HubUserId>,
    ) -> Result<Vec<MatrixUserId>> {
        if mentions.users.is_empty() {
            return Ok(Vec::new());
        }
        let members = self.room_views.members_among(caller.user.tenant(), room, &mentions.users).await?;
        let unknown = mentions
            .users
            .iter()
            .enumerate()
            .filter(|(_, id)| members.iter().all(|member| member.id() != *id));
        let problems: Vec<_> = unknown
            .map(|(n, id)| {
                let pointer = format!("/mentions/hub_user_ids/{n}");
                Problem::new(pointer, format!("`{id}` is no member of this room")).coded("unknown_user")
            })
            .collect();
        if problems.is_empty() {
            Ok(members.iter().map(|member| self.ids.of(member)).collect())
        } else {
            Err(Error::Invalid(problems))
        }
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
    ///
    /// The `txn_id` of the content is the transaction; `mentions` are the Hub users whom the content mentions.
    pub(crate) async fn send_content(
        &self,
        caller: &Caller,
        room: &RoomId,
        content: MessageContent,
        mentions: Mentions<HubUserId>,
    ) -> Result<Message> {
        let (content, event_content) = fitting(content, MessageContent::content)?;
        let transaction = content.txn_id.clone();
        let transaction = transaction.as_deref();
        let id = self.transactions.of_message(caller.user.id(), room, transaction).await?;
        let outgoing = OutgoingEvent { id, may_be_retry: transaction.is_some(), content: event_content };
        let event = self.send_event(caller, room, outgoing, Content::Message(content)).await?;
        let name = caller.user.display_name.clone();
        event.message(name, mentions).ok_or(Error::NotFound("message"))
    }

    /// Sends a message or an edit of the caller, and has it ingested soon. Returns it as it was sent first.
    ///
    /// # Errors
    /// `idempotency_mismatch` if its transaction sent another content. A first event that cannot be read, or
    /// that another process sent and that is not ingested yet, is not compared.
    async fn send_event(
        &self,
        caller: &Caller,
        room: &RoomId,
        outgoing: OutgoingEvent,
        content: Content,
    ) -> Result<RoomEvent> {
        let OutgoingEvent { id, may_be_retry, content: event_content } = outgoing;
        let earlier = self.attempts.get(&id).filter(|_| may_be_retry);
        if may_be_retry && earlier.is_none() {
            self.attempts.put(id.clone(), None);
        }
        let (sender, timestamp) = (self.ids.of(&caller.user), in_milliseconds(self.clock.now()));
        let event_id = match self.timeline.send_as(room, &sender, &id, timestamp, &event_content).await {
            Err(error) => return Err(self.refused(caller, room, Action::Send, error).await),
            Ok(event) => event,
        };
        let sent = RoomEvent::sent(event_id, room, sender, timestamp, content);
        let first = self.first_sent(sent.clone(), may_be_retry, earlier).await;
        if may_be_retry {
            self.attempts.put(id, Some(first.clone()));
            if first.differs_from(&sent) {
                return Err(Error::Invalid(vec![idempotency_mismatch()]));
            }
        }
        Ok(first)
    }

    /// Returns the event as it was sent first, if this was a retry, and otherwise has the sent event
    /// ingested soon.
    ///
    /// If the first event cannot be read, the sent one is returned, because the homeserver has it. A retry
    /// of an event that another process sent is recognised only after that event was ingested.
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

fn idempotency_mismatch() -> Problem {
    Problem::new(
        "/txn_id",
        "was used with another content, which was sent: use a new one for another message",
    )
    .coded("idempotency_mismatch")
}

/// Returns content with the form in which it is sent. Content that is too long for an event is sent without
/// HTML.
///
/// # Errors
/// Names the text if it is too long by itself.
fn fitting(
    mut content: MessageContent,
    form: impl Fn(&MessageContent) -> Value,
) -> Result<(MessageContent, Value)> {
    let mut value = form(&content);
    if content.formatted_body.is_some() && value.to_string().len() > CONTENT_MAX {
        content.formatted_body = None;
        value = form(&content);
    }
    let size = value.to_string().len();
    if size > CONTENT_MAX {
        let problem =
            format!("is too long for one message: {size} bytes, at most {CONTENT_MAX} are possible");
        return Err(Error::invalid("/body", problem));
    }
    Ok((content, value))
}

/// Returns a time with the precision of homeservers, milliseconds.
fn in_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
