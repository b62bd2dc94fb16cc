//! Sending a message in the name of a user, once for each transaction of theirs.

use jiff::Timestamp;

use super::{Message, MessageContent};
use crate::{
    Error, Messenger, Result,
    id::{self, RoomId},
    inbound::{Content, RoomEvent},
    rendering::no_mentions,
    room::Action,
    user::Caller,
};

/// Most bytes of a message's content: an event may have 65 536 bytes with everything around it.
const CONTENT_MAX: usize = 60_000;

/// What a process remembers of a transaction that a client named: what was said, or that it is not known whether it was.
pub(crate) type Attempt = Option<RoomEvent>;

impl Messenger {
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
        let sender = self.matrix_id(&caller.user);
        let id = self.transaction(caller, room, transaction).await?;
        let earlier = transaction.and_then(|_| self.attempts.get(&id));
        if transaction.is_some() && earlier.is_none() {
            self.attempts.put(id.clone(), None);
        }
        let timestamp = in_milliseconds(self.clock.now());
        let event_id = match self.timeline.send_as(room, &sender, &id, timestamp, &content).await {
            Err(error) => return Err(self.explain(caller, room, &caller.user, Action::Send, error).await),
            Ok(event) => event,
        };
        let (room_id, content) = (room.clone(), Content::Message(said));
        let sent = RoomEvent { event_id, room_id, sender, timestamp, content, edited: None };
        let event = self.as_first_said(sent, transaction.is_some(), earlier).await;
        if transaction.is_some() {
            self.attempts.put(id, Some(event.clone()));
        }
        let name = caller.user.identity.display_name.clone();
        event.message(name).ok_or(Error::NotFound("message"))
    }

    /// The message as it was said first, if this was a retry; push may have been quicker than the answer as well. That it
    /// cannot be found out is no reason to refuse a message that the homeserver has. Not found out is a retry of what
    /// another process said, as long as that is not taken in.
    async fn as_first_said(
        &self,
        sent: RoomEvent,
        may_be_retry: bool,
        earlier: Option<Attempt>,
    ) -> RoomEvent {
        if let Some(heard) = self.echoes.heard(&sent.event_id) {
            return heard;
        }
        let as_it_stands = async || {
            let event = self.timeline.event(&sent.room_id, &sent.event_id).await;
            event.ok().flatten()
        };
        let first = match earlier {
            Some(Some(first)) => return first,
            Some(None) => as_it_stands().await,
            None if may_be_retry && self.messages.is_ingested(&sent.event_id).await.unwrap_or(false) => {
                return as_it_stands().await.unwrap_or(sent);
            }
            None => None,
        };
        let event = first.unwrap_or(sent);
        self.expect_echo(event.clone());
        event
    }

    /// The Matrix transaction id: Conduit knows one of them for all rooms of a user, Synapse for all users of a room,
    /// so it is made of both.
    async fn transaction(&self, caller: &Caller, room: &RoomId, given: Option<&str>) -> Result<String> {
        let stem = self.installation().await?;
        Ok(match given {
            Some(given) => {
                format!("{stem}.m{}", id::digest(&format!("{}\0{room}\0{given}", caller.user.id())))
            }
            None => format!("{stem}.r{:032x}", rand::random::<u128>()),
        })
    }
}

/// A time as homeservers give it.
fn in_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
