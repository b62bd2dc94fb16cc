//! The port of the alarms.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    alarm::{Alarm, AlarmKey, AlarmQuery, Change, Input, JournalPage, JournalQuery, LiveEvent},
    error::Result,
    event::NewEvent,
    id::{AlarmId, HubUserId, NotificationId, TenantId},
};

/// An alarm with its waiting inputs, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedAlarm {
    /// The alarm. If none with this key is stored, it has no episode, and a new id.
    pub alarm: Alarm,
    /// The stored inputs that no change has consumed, in their order.
    pub inputs: Vec<Input>,
    /// The time of the store.
    pub now: Timestamp,
}

/// A change of an alarm, with the live events that it appends.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmChange {
    /// The change.
    pub change: Change,
    /// The live events of the change, in their order. The store adds the id and the time of its notification to
    /// [`LiveEvent::Notification`](crate::alarm::LiveEvent), and marks the notification as announced.
    pub events: Vec<NewEvent>,
}

impl AlarmChange {
    /// Returns the notifications that the live events `notification` of the change are about, in their order.
    pub fn announced(&self) -> impl Iterator<Item = NotificationId> {
        self.change.events.iter().filter_map(|event| match event {
            LiveEvent::Notification { notification, .. } => Some(*notification),
            LiveEvent::Alarm { .. } => None,
        })
    }
}

/// The alarms, with their inputs and journals.
///
/// Inputs are stored by other ports, each in the transaction of its cause: a call of a satellite with its
/// notification, a reaction or reply with its ingested event. Those of an alarm have ids in the order of
/// their commits. An act through this service has no stored input: it is stored with its change.
#[async_trait]
pub trait Alarms: Send + Sync {
    /// Returns the alarms with these keys, in the same order, each with all of its waiting inputs.
    ///
    /// Nothing is stored: an alarm that is not stored yet is stored by its first change.
    async fn load(&self, keys: &[AlarmKey]) -> Result<Vec<LoadedAlarm>>;

    /// Stores changes of different alarms, in one durable transaction. Returns the keys of stale changes:
    /// those whose alarm does not have the expected revision any more. Load and step such an alarm again.
    ///
    /// * Of a stale change nothing is stored. It does not prevent the other changes.
    /// * Each other change is stored as a whole: the alarm, the entries of its journal, its live events, and
    ///   the time of its next step. The waiting inputs that its journal names are consumed, and its claim
    ///   ends.
    ///
    /// Each step that has an entry in its journal raises the revision. So an input is consumed by one change
    /// only, and repeating a stored change is stale.
    async fn apply(&self, changes: &[AlarmChange]) -> Result<Vec<AlarmKey>>;

    /// Claims at most `limit` alarms that have to be stepped, those first that have been due longest: an input
    /// waits, or the time of the next step has passed. For the first second, the input of a notification is left
    /// to the call that stored it.
    ///
    /// No other claim returns them until the lease ends, or until a change of theirs is stored.
    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<AlarmKey>>;

    /// Returns an alarm of a tenant; `None` if the tenant has no such alarm.
    async fn find(&self, tenant: TenantId, id: AlarmId) -> Result<Option<Alarm>>;

    /// Returns the alarm that got this notification of a tenant as its input, and the number of the episode
    /// afterwards. Returns `None` if no alarm of the tenant has applied this notification.
    async fn of_notification(
        &self,
        tenant: TenantId,
        notification: NotificationId,
    ) -> Result<Option<(Alarm, i64)>>;

    /// Returns the alarms of a tenant that match the query and that the reader may read, in the order of
    /// [`AlarmCursor`](crate::alarm::AlarmCursor).
    async fn list(&self, tenant: TenantId, reader: &HubUserId, query: &AlarmQuery) -> Result<Vec<Alarm>>;

    /// Returns a page of the journal of an alarm; `None` if the tenant has no such alarm.
    async fn journal(
        &self,
        tenant: TenantId,
        id: AlarmId,
        query: &JournalQuery,
    ) -> Result<Option<JournalPage>>;
}
