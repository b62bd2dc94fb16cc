//! The collection of all that follows from a step.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    alarm::{
        Alarm, Change, ChangeKind, Deadline, Episode, JournalCause, JournalEntry, LiveEvent, Outcome, Ring,
        RingReason,
    },
    event::Audience,
    id::NotificationId,
};

/// The shortest time between rings for a fault that comes again: slow flapping is not found to chatter.
const RING_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// The shortest time between live events that report details only.
const PUBLISH_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// A change that is being made.
pub(super) struct ChangeBuilder<'a> {
    pub(super) before: &'a Alarm,
    pub(super) alarm: Alarm,
    pub(super) earlier_episodes: Vec<Episode>,
    kind: ChangeKind,
    pub(super) outcomes: Vec<Outcome>,
    journal: Vec<JournalEntry>,
    pub(super) ring: Option<Ring>,
    events: Vec<LiveEvent>,
}

impl<'a> ChangeBuilder<'a> {
    /// Begins with an unchanged alarm.
    pub(super) fn new(before: &'a Alarm) -> Self {
        Self {
            before,
            alarm: before.clone(),
            earlier_episodes: Vec::new(),
            kind: ChangeKind::None,
            outcomes: Vec::new(),
            journal: Vec::new(),
            ring: None,
            events: Vec::new(),
        }
    }

    /// Rings for a fault that came again, or whose priority rose.
    ///
    /// A risen priority always rings: it happens at most three times in an episode.
    pub(super) fn ring_again(&mut self, is_raised: bool, at: Timestamp) {
        let rang_before = |rang_at: Timestamp| at.duration_since(rang_at) < RING_AGAIN_AFTER;
        let is_quiet =
            self.alarm.chattering.is_on(at) || self.alarm.repeated_ring_at.is_some_and(rang_before);
        let episode = self.alarm.episode_number();
        let is_of_root = self.ring == Some(Ring { episode, reason: RingReason::Triggered });
        if is_of_root || (is_quiet && !is_raised) {
            return;
        }
        let reason = if is_raised { RingReason::PriorityRaised } else { RingReason::Reopened };
        self.ring = Some(Ring { episode, reason });
    }

    /// Adds the live event of a new or re-opened episode.
    pub(super) fn announce(&mut self, notification: Option<NotificationId>) {
        let (Some(episode), Some(notification)) = (&self.alarm.episode, notification) else { return };
        let audience = self.audience(episode);
        self.events.push(LiveEvent::Notification { episode: episode.number, audience, notification });
    }

    fn audience(&self, episode: &Episode) -> Audience {
        episode.draft.audience(self.alarm.key.tenant)
    }

    /// Raises the effect on the root message.
    pub(super) fn note(&mut self, kind: ChangeKind) {
        self.kind = self.kind.max(kind);
        if kind == ChangeKind::State {
            self.alarm.state_revision = self.before.revision + 1;
        }
    }

    /// Adds an entry to the journal.
    pub(super) fn record(&mut self, at: Timestamp, cause: JournalCause) {
        let (episode, state) = (self.alarm.episode_number(), self.alarm.state());
        self.journal.push(JournalEntry { at, episode, state, cause });
    }

    /// Returns the whole change.
    pub(super) fn finish(mut self, now: Timestamp) -> Change {
        self.drop_ring_without_reason(now);
        self.publish(now);
        if !self.journal.is_empty() || self.alarm != *self.before {
            self.alarm.revision += 1;
        }
        Change {
            expected_revision: self.before.revision,
            next_at: next_at(&self.alarm),
            alarm: self.alarm,
            earlier_episodes: self.earlier_episodes,
            kind: self.kind,
            outcomes: self.outcomes,
            journal: self.journal,
            ring: self.ring,
            events: self.events,
        }
    }

    /// Drops the ring if an operator has noticed the fault since, or if it is over.
    fn drop_ring_without_reason(&mut self, now: Timestamp) {
        let episode = self.alarm.episode.as_ref().filter(|episode| episode.needs_attention());
        self.ring = self.ring.filter(|ring| episode.is_some_and(|episode| episode.number == ring.episode));
        if self.ring.is_some_and(|ring| ring.reason != RingReason::Triggered) {
            self.alarm.repeated_ring_at = Some(now);
        }
    }

    /// Adds the live events of the changed episodes. Those of details wait until they are due.
    fn publish(&mut self, now: Timestamp) {
        for episode in &self.earlier_episodes {
            let audience = self.audience(episode);
            self.events.push(LiveEvent::Alarm { episode: episode.number, audience });
        }
        let Some(episode) = &self.alarm.episode else { return };
        self.alarm.is_publish_due |= self.kind != ChangeKind::None;
        let is_now = self.kind == ChangeKind::State || publish_at(&self.alarm).is_none_or(|at| at <= now);
        if self.alarm.is_publish_due && is_now {
            let audience = self.audience(episode);
            self.events.push(LiveEvent::Alarm { episode: episode.number, audience });
            self.alarm.published_at = Some(now);
            self.alarm.is_publish_due = false;
        }
    }
}

/// Returns the time from which details may be published again; `None` for at once.
fn publish_at(alarm: &Alarm) -> Option<Timestamp> {
    alarm.published_at.map(|published_at| published_at + PUBLISH_AGAIN_AFTER)
}

fn next_at(alarm: &Alarm) -> Option<Timestamp> {
    let deadline = alarm.episode.as_ref().and_then(Deadline::first).map(|(at, _)| at);
    let publication = publish_at(alarm).filter(|_| alarm.is_publish_due);
    [deadline, publication].into_iter().flatten().min()
}
