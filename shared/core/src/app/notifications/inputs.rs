//! Applies notifications that are inputs of alarms.

use std::time::Duration;

use crate::{
    app::notifications::Notifications,
    domain::{
        alarm::{ActionKind, Alarm, AlarmKey, NewAlarmInput, Outcome},
        id::NotificationId,
        notification::{AlarmReport, Notification, QueueState, SendResult, Status},
    },
};

/// An applied notification.
pub(super) struct Applied {
    pub(super) notification: Notification,
    pub(super) alarm: AlarmReport,
    /// Whether this process has applied it.
    is_own: bool,
}

impl Notifications {
    /// Applies a stored input of an alarm. If it begins an episode, waits for the delivery of its message.
    pub(super) async fn apply(
        &self,
        notification: Notification,
        input: &NewAlarmInput,
        queue_state: QueueState,
        wait: Duration,
    ) -> SendResult {
        let Some(applied) = self.alarm(&notification, input).await else {
            return SendResult { notification, replayed: false, alarm: None };
        };
        let Applied { notification, alarm, is_own } = applied;
        let notification = if is_own && alarm.begins_with(notification.id) {
            self.delivery.wait_for_root(notification, queue_state, wait).await
        } else {
            notification
        };
        SendResult { notification, replayed: false, alarm: Some(alarm) }
    }

    /// Applies the waiting inputs of the alarm of a notification. Returns `None` if that fails: the worker
    /// repeats it.
    pub(super) async fn alarm(&self, notification: &Notification, input: &NewAlarmInput) -> Option<Applied> {
        let key = AlarmKey {
            tenant: notification.tenant,
            source_app: notification.draft.source_app.clone(),
            dedup_key: input.key_of(notification.id),
        };
        match self.alarms.apply_inputs(key).await {
            Ok(alarm) => {
                let outcome = self.alarms.recent_outcome(notification.id);
                let notification = match outcome {
                    Some(outcome) => after(notification.clone(), outcome),
                    // Another process has applied it, or it was applied long ago.
                    None => self.reread(notification.clone()).await,
                };
                let alarm = AlarmReport::of(alarm, &notification, input, outcome);
                Some(Applied { notification, alarm, is_own: outcome.is_some() })
            }
            Err(error) => {
                tracing::warn!(
                    id = %notification.id,
                    error = &error as &dyn std::error::Error,
                    "applying the input of an alarm failed: a worker repeats it"
                );
                None
            }
        }
    }

    /// Returns a notification in its stored state, or as it is if that cannot be read.
    async fn reread(&self, notification: Notification) -> Notification {
        match self.records.find(notification.tenant, notification.id).await {
            Ok(Some(stored)) => stored,
            Ok(None) | Err(_) => notification,
        }
    }
}

/// Returns a notification after its outcome as an input.
fn after(notification: Notification, outcome: Outcome) -> Notification {
    match outcome {
        Outcome::Ignored(reason) => {
            Notification { status: Status::Ignored, reason: Some(reason.as_str().to_owned()), ..notification }
        }
        Outcome::Applied { .. } | Outcome::Unchanged | Outcome::Refused(_) => notification,
    }
}

impl AlarmReport {
    fn of(
        alarm: Alarm,
        notification: &Notification,
        input: &NewAlarmInput,
        outcome: Option<Outcome>,
    ) -> Self {
        let first = alarm.episode.as_ref().and_then(|episode| episode.notification);
        let is_counted = notification.status != Status::Ignored;
        let warning = match outcome {
            Some(Outcome::Applied { warning }) => warning,
            _ => None,
        };
        let is_trigger = input.action.kind() == ActionKind::Trigger;
        let is_deduplicated = is_trigger && is_counted && first != Some(notification.id);
        Self { alarm, is_deduplicated, warning }
    }

    /// Returns whether the newest episode began with this notification.
    fn begins_with(&self, notification: NotificationId) -> bool {
        self.alarm.episode.as_ref().is_some_and(|episode| episode.notification == Some(notification))
    }
}
