//! The live events of a changed alarm.

use jiff::Timestamp;

use crate::{
    app::room_registry::RoomRegistry,
    domain::{
        alarm::{Change, Episode, LiveEvent},
        error::{Error, Result},
        event::{
            NewEvent,
            payload::{self, AlarmChanged, EventPayload},
        },
    },
};

/// Returns the live events of a change, in their order.
pub(super) async fn of(registry: &RoomRegistry, change: &Change, now: Timestamp) -> Result<Vec<NewEvent>> {
    let mut events = Vec::with_capacity(change.events.len());
    for event in &change.events {
        let (number, audience) = match event {
            LiveEvent::Notification { episode, audience, .. } | LiveEvent::Alarm { episode, audience } => {
                (*episode, audience.clone())
            }
        };
        let missing = || Error::internal("publishing an alarm", "an episode is missing");
        let episode = episode(change, number).ok_or_else(missing)?;
        let room = registry.find_for_event(&episode.draft.room_key(change.alarm.key.tenant)).await?;
        let payload = match event {
            LiveEvent::Notification { .. } => {
                let notification = payload::Notification::of(&episode.draft, room.as_ref());
                let alarm_id = Some(change.alarm.id);
                EventPayload::Notification(payload::Notification { alarm_id, ..notification })
            }
            LiveEvent::Alarm { .. } => {
                let alarm = payload::Alarm::of(&change.alarm, episode, room.as_ref(), now);
                EventPayload::Alarm(Box::new(AlarmChanged { alarm }))
            }
        };
        let kind = payload.kind();
        events.push(NewEvent { audience, kind, payload: payload.serialise()?, room, key: None });
    }
    Ok(events)
}

/// Returns an episode of the change.
fn episode(change: &Change, number: i64) -> Option<&Episode> {
    let mut episodes = change.earlier_episodes.iter().chain(&change.alarm.episode);
    episodes.find(|episode| episode.number == number)
}
