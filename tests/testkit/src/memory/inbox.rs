//! The inboxes of users in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::{Audience, Kind, NewEvent, Payload},
    id::{HubUserId, NotificationId, TenantId},
    inbox::{InboxEntry, InboxPage, InboxQuery, ReadEntries, ReadOutcome, UNREAD_MAX},
    notification::Notification,
    port::Inbox,
};

use super::{Memory, State};

/// The notifications that each user has read, by tenant and user.
pub(super) type Table = BTreeMap<(TenantId, HubUserId), BTreeSet<NotificationId>>;

#[async_trait]
impl Inbox for Memory {
    async fn page(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        query: &InboxQuery,
    ) -> Result<Option<InboxPage>> {
        self.act("reading an inbox", |state| {
            state.user(tenant, user)?;
            let matching = state.inbox(tenant, user).into_iter().rev();
            let matching = matching.filter(|entry| query.matches(&entry.notification));
            let mut entries: Vec<_> = matching.filter(|entry| !(query.unread && entry.is_read)).collect();
            let limit = usize::try_from(query.limit).unwrap_or_default();
            let is_last = entries.len() <= limit;
            entries.truncate(limit);
            let next_before = entries.last().map(|last| last.notification.id).filter(|_| !is_last);
            Some(InboxPage { entries, next_before, unread_count: state.unread_count(tenant, user) })
        })
        .await
    }

    async fn read(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        read: &ReadEntries,
        payload: &Payload,
    ) -> Result<Option<ReadOutcome>> {
        self.act("marking notifications as read", |state| state.mark_inbox_read(tenant, user, read, payload))
            .await
    }
}

impl State {
    /// Marks the announced notifications as read for a user who is new to a tenant.
    pub(super) fn enter_inbox(&mut self, tenant: TenantId, user: &HubUserId) {
        let known: Vec<_> = self.inbox(tenant, user).iter().map(|entry| entry.notification.id).collect();
        self.inboxes.entry((tenant, user.clone())).or_default().extend(known);
    }

    /// Returns the inbox of a user, oldest first.
    fn inbox(&self, tenant: TenantId, user: &HubUserId) -> Vec<InboxEntry> {
        let read = self.inboxes.get(&(tenant, user.clone()));
        let rows = self.notifications.rows.values().map(|stored| stored.at(self.now));
        let own = rows.filter(|row: &Notification| row.tenant == tenant && row.is_for(user));
        own.map(|notification| InboxEntry {
            is_read: read.is_some_and(|read| read.contains(&notification.id)),
            notification,
        })
        .collect()
    }

    fn unread_count(&self, tenant: TenantId, user: &HubUserId) -> i64 {
        let unread = self.inbox(tenant, user).iter().filter(|entry| !entry.is_read).count();
        i64::try_from(unread).unwrap_or(i64::MAX).min(UNREAD_MAX)
    }

    fn mark_inbox_read(
        &mut self,
        tenant: TenantId,
        user: &HubUserId,
        read: &ReadEntries,
        payload: &Payload,
    ) -> Option<ReadOutcome> {
        self.user(tenant, user)?;
        let inbox = self.inbox(tenant, user);
        let is_known = |up_to| inbox.iter().any(|entry| entry.notification.id == up_to);
        if !read.up_to.is_none_or(is_known) {
            return Some(ReadOutcome::Unknown);
        }
        let is_named = |id| read.up_to.is_some_and(|up_to| id <= up_to) || read.ids.contains(&id);
        let new = inbox.iter().filter(|entry| !entry.is_read && is_named(entry.notification.id));
        let new: Vec<_> = new.map(|entry| entry.notification.id).collect();
        if !new.is_empty() {
            self.inboxes.entry((tenant, user.clone())).or_default().extend(new);
            let event = NewEvent {
                audience: Audience::User(tenant, user.clone()),
                kind: Kind::InboxRead,
                room: None,
                payload: payload.clone(),
                key: None,
            };
            self.log.append(self.now, &event);
        }
        Some(ReadOutcome::Read { unread_count: self.unread_count(tenant, user) })
    }
}
