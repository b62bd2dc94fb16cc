//! The statements that search notifications, by `find_notifications` of the database.

use messenger_core::{
    admin::notifications::NotificationFilter,
    id::TenantId,
    notification::{Priority, Status},
};
use tokio_postgres::types::ToSql;

use crate::notifications::row::columns;

macro_rules! find {
    () => {
        "find_notifications($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    };
}

/// Reads matching notifications, each with the last one that was looked at and its time. If none matches, that
/// stands in a row without a notification.
pub(crate) const PAGE: &str = concat!(
    "with found as materialized (select ids, searched from ",
    find!(),
    ")
    select ",
    columns!(),
    ", announced_at, sent_at, searched, (select last.created_at from notifications last where last.id = searched) as created_at_searched
    from found left join notifications on tenant_id = $3 and id = any (ids)
    order by id desc"
);
/// Counts matching notifications, and reads the last one that was looked at.
pub(crate) const COUNT: &str = concat!("select matched, searched from ", find!());
/// Reads the ids of matching notifications, and the last one that was looked at.
pub(crate) const CANDIDATES: &str = concat!("select ids, searched from ", find!());

/// The parameters of these statements, of which it keeps those that have another type in the database.
pub(crate) struct Search<'a> {
    index: &'static str,
    is_ascending: bool,
    tenant: i64,
    first: i64,
    last: i64,
    limit: Option<i64>,
    filter: &'a NotificationFilter,
    status: Option<&'static str>,
    priority: Option<&'static str>,
}

impl<'a> Search<'a> {
    /// Returns the search for the newest notifications with ids of at most `last`; without a limit they are
    /// counted.
    pub(crate) fn newest(
        tenant: TenantId,
        filter: &'a NotificationFilter,
        last: i64,
        limit: Option<i64>,
    ) -> Self {
        Self {
            index: index(filter),
            is_ascending: false,
            tenant: tenant.0,
            first: 0,
            last,
            limit,
            filter,
            status: filter.status.map(Status::as_str),
            priority: filter.priority.map(Priority::as_str),
        }
    }

    /// Returns the search for the oldest notifications with ids from `first` to `last`.
    pub(crate) fn oldest(
        tenant: TenantId,
        filter: &'a NotificationFilter,
        (first, last): (i64, i64),
        limit: i64,
    ) -> Self {
        Self { is_ascending: true, first, ..Self::newest(tenant, filter, last, Some(limit)) }
    }

    /// Returns the parameters in their order.
    pub(crate) fn parameters(&self) -> [&(dyn ToSql + Sync); 15] {
        let NotificationFilter { source_app, target_type, target, from, to, text, is_test, .. } = self.filter;
        [
            &self.index,
            &self.is_ascending,
            &self.tenant,
            &self.first,
            &self.last,
            &self.limit,
            from,
            to,
            source_app,
            &self.status,
            &self.priority,
            target_type,
            target,
            text,
            is_test,
        ]
    }
}

/// Returns the index that serves a filter best.
fn index(filter: &NotificationFilter) -> &'static str {
    match filter {
        NotificationFilter { status: Some(Status::Failed | Status::Expired | Status::Cancelled), .. } => {
            "unsent"
        }
        NotificationFilter { source_app: Some(_), .. } => "app",
        _ => "tenant",
    }
}
