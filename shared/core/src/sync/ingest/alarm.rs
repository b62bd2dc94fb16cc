//! Acts of operators on alarms in rooms: reactions and replies to the messages of alarms, and redactions of these
//! reactions.

use jiff::Timestamp;

use crate::{
    domain::{
        alarm::{Action, AlarmPart, Expected, Input, InputSource, Operator, matrix_act},
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
        let room = &event.room_id;
        let (of, source, action, comment) = match &event.content {
            Content::Reaction { of, key } if matrix_act::is_acknowledgement(key) => {
                (self.alarms.alarm_of(room, of).await?, &event.event_id, Action::Acknowledge, None)
            }
            Content::Message(content) => {
                let Some(of) = &content.reply_to else { return Ok(None) };
                let (action, comment) = matrix_act::of_reply(&content.body);
                (self.alarms.alarm_of(room, of).await?, &event.event_id, action, comment)
            }
            Content::Redacted { of } => {
                (self.alarms.acknowledged_by(of, user.id()).await?, of, Action::Unacknowledge, None)
            }
            _ => return Ok(None),
        };
        let Some(of) = of else { return Ok(None) };
        if user.identity.role == Role::Viewer {
            // The transaction id makes it one notice for this user.
            let kind = format!("viewer {}", user.id());
            self.notices.post(room, &kind, &notices::only_reads(&user.display_name)).await?;
            return Ok(None);
        }
        let episode = Some(of.episode);
        Ok(Some(AlarmPart::Input(of.alarm, input(user, source, action, episode, comment))))
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
