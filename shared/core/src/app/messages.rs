//! Messages of users: sent once for each transaction of a client.

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
    port::{self, Clock, MembershipCalls, Ports, Timeline},
};

/// Most bytes of a message's content: an event may have 65 536 bytes with everything around it.
const CONTENT_MAX: usize = 60_000;
/// How long it is known what was said under a client's transaction id; what was taken in is known for longer.
const ATTEMPT_FOR: Duration = Duration::from_mins(1);

/// The message that a client's transaction sent; `None` if that is not known yet.
type Attempt = Option<RoomEvent>;

/// Sends messages and typing notifications for users.
pub struct Messages {
    timeline: Arc<dyn Timeline>,
    records: Arc<dyn port::Messages>,
    membership_calls: Arc<dyn MembershipCalls>,
    clock: Arc<dyn Clock>,
    authorization: Arc<Authorization>,
    transactions: Arc<TransactionIds>,
    ids: Arc<MatrixIds>,
    echoes: Arc<Echoes>,
    follow_ups: FollowUps,
    /// By the Matrix transaction id.
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
            membership_calls: ports.membership_calls.clone(),
            clock: ports.clock.clone(),
            authorization: authorization.clone(),
            transactions: transactions.clone(),
            ids: ids.clone(),
            echoes: echoes.clone(),
            follow_ups: follow_ups.clone(),
            attempts: Cache::with_ttl(ATTEMPT_FOR),
        }
    }

    /// Sends a message in the name of the caller, who must be a member of the room and may write.
    ///
    /// The same `transaction` of the same user in the same room sends once, for at least a day.
    pub async fn send(
        &self,
        caller: &Caller,
        room: &RoomId,
        said: MessageContent,
        transaction: Option<&str>,
    ) -> Result<Message> {
        self.authorization.check_may_write(caller, room).await?;
        self.send_content(caller, room, said, transaction).await
    }

    /// The caller types in a room for so long, unless they say it again; or (`None`) does not any more. They must be a
    /// member of the room and may write. The homeserver tells everybody, us among them.
    pub async fn set_typing(&self, caller: &Caller, room: &RoomId, lasting: Option<Duration>) -> Result<()> {
        self.authorization.check_may_write(caller, room).await?;
        match self.membership_calls.set_typing(room, &self.ids.of(&caller.user), lasting).await {
            Err(error) => {
                Err(self.authorization.explain(caller, room, &caller.user, Action::Other, error).await)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Answers as soon as the homeserver has the message; the streams and lists of rooms follow
    /// ([`expect_echo`](Self::expect_echo)).
    pub(crate) async fn send_content(
        &self,
        caller: &Caller,
        room: &RoomId,
        said: MessageContent,
        transaction: Option<&str>,
    ) -> Result<Message> {
        let mut content = said.content();
        content["m.mentions"] = no_mentions();
        let size = content.to_string().len();
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
        let event_id = match self.timeline.send_as(room, &sender, &id, timestamp, &content).await {
            Err(error) => {
                return Err(self
                    .authorization
                    .explain(caller, room, &caller.user, Action::Send, error)
                    .await);
            }
            Ok(event) => event,
        };
        let (room_id, content) = (room.clone(), Content::Message(said));
        let sent = RoomEvent { event_id, room_id, sender, timestamp, content, edited: None };
        let event = self.as_first_sent(sent, transaction.is_some(), earlier).await;
        if transaction.is_some() {
            self.attempts.put(id, Some(event.clone()));
        }
        let name = caller.user.identity.display_name.clone();
        event.message(name).ok_or(Error::NotFound("message"))
    }

    /// The message as it was said first, if this was a retry; push may have been quicker than the answer as well. That it
    /// cannot be found out is no reason to refuse a message that the homeserver has. Not found out is a retry of what
    /// another process said, as long as that is not taken in.
    async fn as_first_sent(
        &self,
        sent: RoomEvent,
        may_be_retry: bool,
        earlier: Option<Attempt>,
    ) -> RoomEvent {
        if let Some(heard) = self.echoes.received(&sent.event_id) {
            return heard;
        }
        let as_it_stands = async || {
            let event = self.timeline.event(&sent.room_id, &sent.event_id).await;
            event.ok().flatten()
        };
        let first = match earlier {
            Some(Some(first)) => return first,
            Some(None) => as_it_stands().await,
            None if may_be_retry && self.records.is_ingested(&sent.event_id).await.unwrap_or(false) => {
                return as_it_stands().await.unwrap_or(sent);
            }
            None => None,
        };
        let event = first.unwrap_or(sent);
        self.expect_echo(event.clone());
        event
    }

    /// Drops the copies of a redacted message.
    pub(crate) fn forget(&self, event: &EventId) {
        self.echoes.forget(event);
        self.attempts.remove_if(|attempt| attempt.as_ref().is_some_and(|sent| sent.event_id == *event));
    }

    /// Has an event of ours ingested soon.
    fn expect_echo(&self, event: RoomEvent) {
        if self.echoes.expect(&event) {
            self.follow_ups.push(FollowUp::Echo(Box::new(event)));
        }
    }
}

/// A time as homeservers give it.
fn in_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
