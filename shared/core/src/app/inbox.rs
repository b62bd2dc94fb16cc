//! The inbox of a user: its pages and its read state.

use std::sync::Arc;

use crate::{
    app::delivery::Delivery,
    domain::{
        error::{Error, Result},
        event::payload::{self, EventPayload},
        inbox::{InboxPage, InboxQuery, ReadEntries, ReadOutcome},
        user::{Caller, superseded},
    },
    port::{self, Ports},
};

/// The engine for the inboxes of users.
pub struct Inbox {
    records: Arc<dyn port::Inbox>,
    delivery: Arc<Delivery>,
}

impl Inbox {
    pub(crate) fn new(ports: &Ports, delivery: &Arc<Delivery>) -> Self {
        Self { records: ports.inbox.clone(), delivery: delivery.clone() }
    }

    /// Returns a page of the caller's inbox, newest first.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn page(&self, caller: &Caller, query: &InboxQuery) -> Result<InboxPage> {
        let page = self.records.page(caller.user.tenant(), caller.user.id(), query).await?;
        let mut page = page.ok_or_else(superseded)?;
        for entry in &mut page.entries {
            entry.notification = self.delivery.with_unstored_result(entry.notification.clone());
        }
        Ok(page)
    }

    /// Marks notifications of the caller as read, on all devices. Returns the number of unread ones that are left.
    ///
    /// The caller's other devices get the live event `inbox_read`. Repeating it changes nothing.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %caller.user.tenant(), user = %caller.user.id()))]
    pub async fn read(&self, caller: &Caller, read: &ReadEntries) -> Result<i64> {
        let payload = payload::InboxRead { up_to: read.up_to, ids: &read.ids };
        let payload = EventPayload::InboxRead(payload).serialise()?;
        let outcome = self.records.read(caller.user.tenant(), caller.user.id(), read, &payload).await?;
        match outcome.ok_or_else(superseded)? {
            ReadOutcome::Read { unread_count } => Ok(unread_count),
            ReadOutcome::Unknown => Err(Error::NotFound("notification")),
        }
    }
}
