//! Finds notifications for administrators, and retries, cancels, readdresses and tests their delivery.

use std::{sync::Arc, time::Duration};

use crate::{
    app,
    domain::{
        admin::{
            Administrator,
            notifications::{
                HeldCursor, HeldMessage, NotificationAct, NotificationFilter, NotificationPage,
                NotificationRecipient, NotificationRecipients, NotificationRecord, ReaddressOutcome,
                TEST_APP, TEST_EVENT, TestNotification,
            },
        },
        error::{Error, Problem, Result},
        id::{HubUserId, NotificationId},
        notification::{DeliveryHistory, Draft, Satellite, SendOptions, Status},
        origin::Origin,
    },
    port::{self, AdminPorts},
};

/// The name in place of that of a service token.
const TOKEN: &str = "administration";

/// The time for which an administrator waits for the delivery of a test.
const TEST_WAIT: Duration = Duration::from_secs(3);

/// The engine for notifications as administrators see them.
pub struct NotificationAdministration {
    records: Arc<dyn port::AdminNotifications>,
    notifications: Arc<app::notifications::Notifications>,
}

impl NotificationAdministration {
    pub(crate) fn new(ports: &AdminPorts, notifications: &Arc<app::notifications::Notifications>) -> Self {
        Self { records: ports.notifications.clone(), notifications: notifications.clone() }
    }

    /// Returns matching notifications of the administered tenant, newest first, older than `before`.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn page(
        &self,
        administrator: &Administrator,
        filter: &NotificationFilter,
        before: Option<NotificationId>,
        limit: i64,
    ) -> Result<NotificationPage> {
        self.records.page(administrator.tenant, filter, before, limit).await
    }

    /// Returns held direct messages of the administered tenant, those first that expire first.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn held(
        &self,
        administrator: &Administrator,
        after: Option<HeldCursor>,
        limit: i64,
    ) -> Result<Vec<HeldMessage>> {
        self.records.held(administrator.tenant, after, limit).await
    }

    /// Returns a notification with the attempts to deliver it and its recipients. Those of a room are known
    /// once it is sent.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant, notification = %id))]
    pub async fn deliveries(
        &self,
        administrator: &Administrator,
        id: NotificationId,
    ) -> Result<(DeliveryHistory, NotificationRecipients)> {
        let history = self.history(administrator, id).await?;
        let notification = &history.notification;
        let mut recipients = self.records.recipients(notification, history.sent_at).await?;
        if let Some(user) = notification.draft.recipient() {
            recipients.users.retain(|member| member.user == *user);
            if recipients.users.is_empty() {
                let recipient =
                    NotificationRecipient { user: user.clone(), display_name: None, has_read: None };
                recipients.users.push(recipient);
            }
            recipients.total = 1;
        }
        Ok((history, recipients))
    }

    /// Retries or cancels a notification, and returns it.
    ///
    /// A notification that is being delivered while it is cancelled may still be sent: it is `sent` then.
    ///
    /// # Errors
    /// `not_retryable` or `not_cancellable` for one in another state.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant, notification = %id))]
    pub async fn change(
        &self,
        administrator: &Administrator,
        act: NotificationAct,
        id: NotificationId,
    ) -> Result<NotificationRecord> {
        let result = self.records.change(administrator, act, id).await?;
        let result = result.ok_or(Error::NotFound("notification"))?;
        if !result.changed {
            return Err(refused(act, result.before));
        }
        self.record(administrator, id).await
    }

    /// Moves a held direct message to another user of the tenant, and returns it. The worker delivers it.
    ///
    /// # Errors
    /// `not_held` for one that has been announced or has ended, and `unknown_user`.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant, notification = %id))]
    pub async fn readdress(
        &self,
        administrator: &Administrator,
        id: NotificationId,
        to: &HubUserId,
    ) -> Result<NotificationRecord> {
        match self.records.readdress(administrator, id, to).await? {
            ReaddressOutcome::Readdressed => self.record(administrator, id).await,
            ReaddressOutcome::UnknownNotification => Err(Error::NotFound("notification")),
            ReaddressOutcome::UnknownUser => Err(Error::Invalid(vec![
                Problem::new("/target_user", "is no user of this tenant: name one who has signed in")
                    .coded("unknown_user"),
            ])),
            ReaddressOutcome::NotHeld(status) => Err(Error::Conflict {
                code: "not_held",
                detail: format!(
                    "only a held direct message can be readdressed: this notification is `{}`, \
                     or its recipient is known",
                    status.as_str()
                )
                .into(),
                retry_after: None,
            }),
        }
    }

    /// Sends a notification that is marked as a test, on the way of all notifications.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn test(
        &self,
        administrator: &Administrator,
        test: TestNotification,
        origin: Origin,
    ) -> Result<NotificationRecord> {
        let draft = Draft {
            source_app: TEST_APP.to_owned(),
            event_type: TEST_EVENT.to_owned(),
            title: format!("Test: {}", test.text),
            body: None,
            target: test.target,
            priority: test.priority,
        };
        let administrator_of_audit = Some(administrator.clone());
        let options =
            SendOptions { wait: TEST_WAIT, idempotency: None, origin, administrator: administrator_of_audit };
        let sent = self.notifications.notify(satellite(administrator), draft, options).await?;
        Ok(NotificationRecord { notification: sent.notification, announced_at: None, sent_at: None })
    }

    async fn record(&self, administrator: &Administrator, id: NotificationId) -> Result<NotificationRecord> {
        let DeliveryHistory { notification, announced_at, sent_at, .. } =
            self.history(administrator, id).await?;
        Ok(NotificationRecord { notification, announced_at, sent_at })
    }

    async fn history(&self, administrator: &Administrator, id: NotificationId) -> Result<DeliveryHistory> {
        self.notifications.history(&satellite(administrator), id).await
    }
}

/// Returns the administrator as a sender of notifications.
fn satellite(administrator: &Administrator) -> Satellite {
    Satellite { token: TOKEN.to_owned(), tenant: administrator.tenant }
}

fn refused(act: NotificationAct, status: Status) -> Error {
    let detail = match act {
        NotificationAct::Retry => {
            "only a notification that is `failed`, `expired` or `cancelled` can be retried"
        }
        NotificationAct::Cancel => "only a `pending` notification can be cancelled",
    };
    Error::Conflict {
        code: act.refusal(),
        detail: format!("{detail}: this one is `{}`", status.as_str()).into(),
        retry_after: None,
    }
}
