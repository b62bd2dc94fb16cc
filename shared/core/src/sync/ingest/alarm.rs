//! Acts of operators on alarms in rooms: reactions and replies to the messages of alarms, and redactions of these
//! reactions.

use jiff::Timestamp;

use crate::{
    domain::{
        alarm::{Action, AlarmPart, EpisodeId, Expected, Input, InputSource, Operator, matrix_act},
        error::Result,
        id::{EventId, TenantId},
        message::People,
        notices,
        room_event::{Content, RoomEvent},
        user::{Role, User},
    },
    sync::ingest::Ingest,
};

impl Ingest {
    /// Returns the part of an event in an alarm; `None` if it has none.
    ///
    /// The store checks whether the user is among the readers of the alarm, and the alarm whether the episode is
    /// over. A viewer only reads: their act has no effect, and a notice says so once.
    pub(super) async fn alarm_part(
        &self,
        tenant: TenantId,
        event: &RoomEvent,
        people: &People,
    ) -> Result<Option<AlarmPart>> {
        if event.sender == self.ids.bot() {
            let is_message = matches!(event.content, Content::Message(_));
            return Ok(event.alarm.filter(|_| is_message).map(AlarmPart::Message));
        }
        let Some(user) = people.get(&event.sender).filter(|user| user.tenant() == tenant) else {
            return Ok(None);
        };
        let (of, source, action, comment) = match &event.content {
            Content::Reaction { of, key } if matrix_act::is_acknowledgement(key) => {
                (self.episode_of(event, of, user).await?, &event.event_id, Action::Acknowledge, None)
            }
            Content::Message(content) => {
                let Some(of) = event.answered() else { return Ok(None) };
                let (action, comment) = matrix_act::of_reply(&content.body);
                (self.episode_of(event, of, user).await?, &event.event_id, action, comment)
            }
            Content::Redacted { of } => {
                (self.alarms.acknowledged_by(of, user.id()).await?, of, Action::Unacknowledge, None)
            }
            _ => return Ok(None),
        };
        let Some(of) = of else { return Ok(None) };
        if user.identity.role == Role::Viewer {
            let kind = format!("viewer {}", user.id());
            self.answer(event, &kind, &notices::only_reads(&user.display_name)).await?;
            return Ok(None);
        }
        let episode = Some(of.episode);
        Ok(Some(AlarmPart::Input(of.alarm, Box::new(input(user, source, action, episode, comment)))))
    }

    /// Returns the episode of a message of an alarm; `None` for any other message. If it is not the newest one, a
    /// notice says to the user that their act does not count: the alarm refuses it.
    ///
    /// The transaction id of a notice makes it one for each user.
    async fn episode_of(&self, event: &RoomEvent, of: &EventId, user: &User) -> Result<Option<EpisodeId>> {
        let Some(message) = self.alarms.alarm_of(&event.room_id, of).await? else { return Ok(None) };
        if !message.is_newest && user.identity.role != Role::Viewer {
            let kind = format!("episode over {}", user.id());
            self.answer(event, &kind, &notices::episode_over(&user.display_name)).await?;
        }
        Ok(Some(message.of))
    }

    /// Posts a notice because of an event, which may come again later, when it would be wrong.
    async fn answer(&self, event: &RoomEvent, kind: &str, text: &str) -> Result<()> {
        if self.messages.is_ingested(&event.event_id).await? {
            return Ok(());
        }
        self.notices.post(&event.room_id, kind, text).await
    }
}

/// Returns an input. The store assigns its id and time.
fn input(
    user: &User,
    event: &EventId,
    action: Action,
    episode: Option<i64>,
    comment: Option<String>,
) -> Input {
    let operator = Operator { id: user.id().clone(), display_name: user.display_name.clone() };
    Input {
        id: None,
        received_at: Timestamp::UNIX_EPOCH,
        source: InputSource::Matrix { operator, event: event.clone() },
        action,
        occurred_at: None,
        expected: Expected { episode, revision: None },
        comment,
    }
}
