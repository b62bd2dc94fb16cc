//! The messages of alarms in memory.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    alarm::{
        AlarmPart, Change, ChangeKind, Episode, EpisodeId, JournalCause, JournalEntry, Outcome, RingReason,
        State as AlarmState,
    },
    event::Audience,
    id::{AlarmId, EventId, HubUserId, NotificationId, RingId, RoomId, TenantId},
    notification::Target,
    port::{
        AlarmMessageDue, AlarmOutbox, Delivered, MessageOfAlarm, RoomQueue, RootAttempt, RootMessage,
        SentAlarmMessage,
    },
};

use super::{Memory, State};

/// The time after a message until an edit shows details, and its largest growth.
const PAUSE: Duration = Duration::from_secs(10);
const PAUSE_MAX: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Table {
    episodes: BTreeMap<(AlarmId, i64), Stored>,
    rings: BTreeMap<RingId, Ring>,
    messages: HashMap<EventId, (RoomId, AlarmId, i64)>,
    /// Notifications that wait for a message, with the revision that shows them.
    unsent: Vec<(AlarmId, i64, i64, NotificationId)>,
}

struct Stored {
    episode: Episode,
    tenant: TenantId,
    /// The revision of the alarm, and those in which the episode and its state changed last.
    alarm_revision: i64,
    revision: i64,
    state_revision: i64,
    queue: String,
    place: NotificationId,
    root: i64,
    root_room: Option<RoomId>,
    root_revision: Option<i64>,
    root_event: Option<EventId>,
    sent_revision: i64,
    sent_at: Option<Timestamp>,
    quiet_edits: u32,
    due: Option<Timestamp>,
}

struct Ring {
    alarm: AlarmId,
    episode: i64,
    reason: RingReason,
    revision: i64,
    place: NotificationId,
    is_open: bool,
}

impl Stored {
    fn pause(&self) -> Duration {
        PAUSE.saturating_mul(1 << self.quiet_edits.min(9)).min(PAUSE_MAX)
    }

    fn root(&self) -> Option<RootMessage> {
        let (room, event) = (self.root_room.clone()?, self.root_event.clone()?);
        Some(RootMessage { number: self.root, room, event })
    }

    fn message(
        &self,
        alarm: AlarmId,
        ring: Option<(RingId, RingReason)>,
        place: NotificationId,
    ) -> AlarmMessageDue {
        AlarmMessageDue {
            place,
            alarm,
            tenant: self.tenant,
            revision: self.alarm_revision,
            episode: self.episode.clone(),
            root: self.root(),
            ring,
        }
    }
}

impl Table {
    /// Returns the time at which the next message of a room queue is due.
    pub(super) fn next_due(&self, queue: &str) -> Option<Timestamp> {
        self.episodes.values().filter(|stored| stored.queue == queue).filter_map(|stored| stored.due).min()
    }

    /// Returns the root messages and edits that are due: room queue, time, tenant and only reader of each.
    pub(super) fn due(
        &self,
        now: Timestamp,
    ) -> impl Iterator<Item = (&str, Timestamp, TenantId, Option<&HubUserId>)> {
        self.episodes.values().filter_map(move |stored| {
            let recipient = match &stored.episode.draft.target {
                Target::Dm(user) => Some(user),
                _ => None,
            };
            let due = stored.due.filter(|due| *due <= now)?;
            Some((stored.queue.as_str(), due, stored.tenant, recipient))
        })
    }

    /// Returns whether a root message of a room queue is still to be sent.
    pub(super) fn is_unsent(&self, queue: &str) -> bool {
        let mut stored = self.episodes.values().filter(|stored| stored.queue == queue);
        stored.any(|stored| stored.due.is_some() && stored.root_event.is_none())
    }

    /// Forgets a redacted root message: the next change gets another one.
    pub(super) fn redact(&mut self, event: &EventId) {
        for stored in self.episodes.values_mut().filter(|stored| stored.root_event.as_ref() == Some(event)) {
            (stored.root_event, stored.root_room, stored.root_revision) = (None, None, None);
            stored.root += 1;
        }
    }
}

impl State {
    /// Makes the messages of a stored change due.
    pub(super) fn queue_change(&mut self, change: &Change) {
        let alarm = change.alarm.id;
        for episode in &change.earlier_episodes {
            self.store_episode(change, episode, ChangeKind::State);
        }
        if let Some(episode) = &change.alarm.episode {
            self.store_episode(change, episode, change.kind);
        }
        for stored in self.alarm_messages.episodes.range_mut((alarm, 0)..=(alarm, i64::MAX)) {
            stored.1.alarm_revision = change.alarm.revision;
        }
        for entry in &change.journal {
            self.await_message(change, entry);
        }
        let Some(ring) = change.ring.filter(|ring| ring.reason != RingReason::Triggered) else { return };
        let place = self.last_notification();
        let Some(stored) = self.alarm_messages.episodes.get(&(alarm, ring.episode)) else { return };
        let (queue, rings) = (stored.queue.clone(), &mut self.alarm_messages.rings);
        for earlier in rings.values_mut().filter(|earlier| earlier.alarm == alarm) {
            earlier.is_open = false;
        }
        let id = RingId(rings.last_key_value().map_or(1, |(id, _)| id.0 + 1));
        let (episode, reason, revision) = (ring.episode, ring.reason, change.alarm.revision);
        rings.insert(id, Ring { alarm, episode, reason, revision, place, is_open: true });
        self.enter_queue(&queue, false, None);
    }

    /// Stores the part of an ingested event in an alarm of its tenant.
    pub(super) fn ingest_alarm_part(
        &mut self,
        tenant: TenantId,
        room: &RoomId,
        event: &EventId,
        part: &AlarmPart,
    ) {
        let (of, user) = match part {
            AlarmPart::Message(of) => (*of, None),
            AlarmPart::Input(alarm, input) => {
                let Some(episode) = input.expected.episode else { return };
                let user = input.source.operator().map(|operator| &operator.id);
                (EpisodeId { alarm: *alarm, episode }, user)
            }
        };
        let Some(stored) = self.alarm_messages.episodes.get(&(of.alarm, of.episode)) else { return };
        let is_reader = match stored.episode.draft.audience(tenant) {
            Audience::User(_, target) => user.is_none_or(|user| *user == target),
            Audience::Tenant(_) | Audience::Room(..) => true,
        };
        if stored.tenant != tenant || !is_reader {
            return;
        }
        match part {
            AlarmPart::Message(_) => {
                let message = (room.clone(), of.alarm, of.episode);
                self.alarm_messages.messages.entry(event.clone()).or_insert(message);
            }
            AlarmPart::Input(alarm, input) => {
                if let Some(key) = self.alarms.key_of(*alarm) {
                    self.receive_alarm_input(&key, (**input).clone());
                }
            }
        }
    }

    fn last_notification(&self) -> NotificationId {
        self.notifications.rows.last_key_value().map_or(NotificationId(0), |(id, _)| *id)
    }

    fn store_episode(&mut self, change: &Change, episode: &Episode, kind: ChangeKind) {
        let (now, place, alarm) = (self.now, self.last_notification(), &change.alarm);
        let queue = episode.draft.room_key(alarm.key.tenant).to_string();
        let stored =
            self.alarm_messages.episodes.entry((alarm.id, episode.number)).or_insert_with(|| Stored {
                episode: episode.clone(),
                tenant: alarm.key.tenant,
                alarm_revision: alarm.revision,
                revision: 0,
                state_revision: 0,
                queue: queue.clone(),
                place,
                root: 1,
                root_room: None,
                root_revision: None,
                root_event: None,
                sent_revision: 0,
                sent_at: None,
                quiet_edits: 0,
                due: None,
            });
        stored.episode = episode.clone();
        // The root message may be on its way, without the inputs of this change.
        if kind != ChangeKind::None || stored.root_event.is_none() {
            stored.revision = alarm.revision;
        }
        if kind == ChangeKind::None {
            return;
        }
        if kind == ChangeKind::State {
            stored.state_revision = alarm.revision;
            stored.quiet_edits = 0;
            stored.due = Some(now);
        } else {
            let after = stored.sent_at.map_or(now, |sent_at| now.max(sent_at + stored.pause()));
            stored.due = Some(stored.due.unwrap_or(after));
        }
        let due = stored.due.filter(|due| *due > now);
        self.enter_queue(&queue, false, due);
    }

    /// Notes the notification of an entry, which is sent once a message shows its revision.
    fn await_message(&mut self, change: &Change, entry: &JournalEntry) {
        let JournalCause::Input { source, outcome, .. } = &entry.cause else { return };
        let Some(notification) = source.notification() else { return };
        let (alarm, revision) = (change.alarm.id, change.alarm.revision);
        let stored = self.alarm_messages.episodes.get(&(alarm, entry.episode));
        match outcome {
            Outcome::Ignored(reason) => self.ignore(notification, reason.as_str()),
            Outcome::Refused(conflict) => self.ignore(notification, conflict.code()),
            Outcome::Unchanged | Outcome::Applied { .. } => match stored.and_then(Stored::root) {
                Some(root) if *outcome == Outcome::Unchanged => self.send_notification(notification, &root),
                _ => self.alarm_messages.unsent.push((alarm, entry.episode, revision, notification)),
            },
        }
    }

    fn send_notification(&mut self, id: NotificationId, root: &RootMessage) {
        let delivered = Delivered { id, room: root.room.clone(), event: root.event.clone() };
        if let Ok(payload) = delivered.payload() {
            self.store_sent(&delivered, payload);
        }
    }

    fn store_sent_message(&mut self, sent: &SentAlarmMessage) {
        let now = self.now;
        let event = sent.edit.as_ref().unwrap_or(&sent.root.event).clone();
        let message = (sent.root.room.clone(), sent.alarm, sent.episode);
        self.alarm_messages.messages.insert(event, message);
        let Some(stored) = self.alarm_messages.episodes.get_mut(&(sent.alarm, sent.episode)) else { return };
        if stored.root == sent.root.number {
            stored.root_event = Some(sent.root.event.clone());
        }
        let is_quiet = sent.edit.is_some() && stored.state_revision <= stored.sent_revision;
        stored.quiet_edits = if is_quiet { stored.quiet_edits + 1 } else { 0 };
        stored.sent_revision = stored.sent_revision.max(sent.revision);
        stored.sent_at = Some(now);
        stored.due = match sent.revision {
            revision if stored.revision <= revision => None,
            revision if stored.state_revision > revision => Some(now),
            _ => Some(now + stored.pause()),
        };
        let (alarm, episode, revision) = (sent.alarm, sent.episode, sent.revision);
        let unsent = std::mem::take(&mut self.alarm_messages.unsent);
        let (shown, unsent): (Vec<_>, Vec<_>) = unsent
            .into_iter()
            .partition(|(of, number, since, _)| *of == alarm && *number == episode && *since <= revision);
        self.alarm_messages.unsent = unsent;
        for (.., notification) in shown {
            self.send_notification(notification, &sent.root);
        }
    }
}

#[async_trait]
impl AlarmOutbox for Memory {
    async fn due_messages(&self, queue: &RoomQueue, limit: i64) -> Result<Vec<AlarmMessageDue>> {
        self.act("reading the alarms of a room queue", |state| {
            let (now, table) = (state.now, &state.alarm_messages);
            let episodes =
                table.episodes.iter().filter(|(_, stored)| stored.due.is_some_and(|due| due <= now));
            let episodes = episodes.map(|((alarm, _), stored)| (stored, *alarm, None, stored.place));
            let rings = table.rings.iter().filter(|(_, ring)| ring.is_open).filter_map(|(id, ring)| {
                let stored = table.episodes.get(&(ring.alarm, ring.episode))?;
                Some((stored, ring.alarm, Some((*id, ring.reason)), ring.place))
            });
            let mut messages: Vec<_> = episodes
                .chain(rings)
                .filter(|(stored, ..)| stored.queue == queue.name)
                .map(|(stored, alarm, ring, place)| stored.message(alarm, ring, place))
                .collect();
            messages.sort_by_key(|message| (message.place, message.ring.map(|(id, _)| id)));
            messages.truncate(usize::try_from(limit).unwrap_or_default());
            messages
        })
        .await
    }

    async fn begin_root(&self, message: &AlarmMessageDue, room: &RoomId) -> Result<RootAttempt> {
        self.act("beginning a root message", |state| {
            let key = (message.alarm, message.episode.number);
            let Some(stored) = state.alarm_messages.episodes.get_mut(&key) else {
                return RootAttempt { number: 1, revision: message.revision };
            };
            if stored.root_room.as_ref().is_some_and(|known| known != room) {
                stored.root += 1;
                (stored.root_event, stored.root_revision) = (None, None);
            }
            stored.root_room = Some(room.clone());
            let revision = *stored.root_revision.get_or_insert(message.revision);
            RootAttempt { number: stored.root, revision }
        })
        .await
    }

    async fn message_sent(&self, sent: &SentAlarmMessage) -> Result<bool> {
        self.act("storing a message of an alarm", |state| {
            state.store_sent_message(sent);
            true
        })
        .await
    }

    async fn rejected(&self, message: &AlarmMessageDue, reason: &str, detail: &str) -> Result<()> {
        self.act("storing a rejected message", |state| {
            let (now, key) = (state.now, (message.alarm, message.episode.number));
            let Some(stored) = state.alarm_messages.episodes.get_mut(&key) else { return };
            stored.sent_revision = stored.sent_revision.max(message.revision);
            stored.sent_at = Some(now);
            stored.due = (stored.revision > message.revision).then_some(now);
            let unsent = std::mem::take(&mut state.alarm_messages.unsent);
            for (alarm, episode, revision, notification) in unsent {
                if (alarm, episode) == key && revision <= message.revision {
                    state.reject(notification, reason, detail);
                } else {
                    state.alarm_messages.unsent.push((alarm, episode, revision, notification));
                }
            }
        })
        .await
    }

    async fn begin_ring(&self, ring: RingId) -> Result<bool> {
        self.act("beginning a ring", |state| {
            let table = &mut state.alarm_messages;
            let Some(ring) = table.rings.get_mut(&ring).filter(|ring| ring.is_open) else { return false };
            let newest = table.episodes.range((ring.alarm, 0)..=(ring.alarm, i64::MAX)).next_back();
            ring.is_open = newest.is_some_and(|((_, number), stored)| {
                *number == ring.episode
                    && stored.episode.state != AlarmState::RtnUnack
                    && stored.episode.needs_attention()
                    && stored.root_event.is_some()
                    && stored.root_revision.is_some_and(|revision| revision < ring.revision)
            });
            ring.is_open
        })
        .await
    }

    async fn rung(&self, ring: RingId, room: &RoomId, event: Option<&EventId>) -> Result<()> {
        self.act("storing a ring", |state| {
            let Some(stored) = state.alarm_messages.rings.get_mut(&ring) else { return };
            stored.is_open = false;
            let of = (room.clone(), stored.alarm, stored.episode);
            if let Some(event) = event {
                state.alarm_messages.messages.insert(event.clone(), of);
            }
        })
        .await
    }

    async fn back_off(&self, queue: &RoomQueue, delay: Option<Duration>) -> Result<()> {
        self.act("postponing a room queue", |state| {
            state.back_off_queue(&queue.name, delay.unwrap_or(Duration::from_secs(1)));
        })
        .await
    }

    async fn alarm_of(&self, room: &RoomId, event: &EventId) -> Result<Option<MessageOfAlarm>> {
        self.act("looking for a message of an alarm", |state| {
            let (_, alarm, episode) =
                state.alarm_messages.messages.get(event).filter(|(of, ..)| of == room)?;
            let of = EpisodeId { alarm: *alarm, episode: *episode };
            let episodes = state.alarm_messages.episodes.range((of.alarm, 0)..=(of.alarm, i64::MAX));
            let newest = episodes.map(|((_, number), _)| *number).next_back();
            Some(MessageOfAlarm { of, is_newest: newest == Some(of.episode) })
        })
        .await
    }

    async fn acknowledged_by(&self, event: &EventId, user: &HubUserId) -> Result<Option<EpisodeId>> {
        self.act("looking for an act", |state| state.alarms.acknowledged_by(event, user)).await
    }
}
