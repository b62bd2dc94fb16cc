//! Administrators, their views of the tenant, and the audit log of their acts.

mod rooms;
mod statistics;

pub mod notifications;
mod users;
mod versions;

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

pub use users::{UserCursor, UserRecord, UserRecordQuery};
pub use versions::ExpectedVersions;

use crate::domain::{
    id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
    origin::RequestId,
};

pub use rooms::{ClosedRoom, Closure, RoomCursor, RoomMembership, RoomQuery, TenantRoom};
pub use statistics::{HomeserverState, SendingApp, TenantFigures};

/// An administrator who acts on a tenant, by one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    /// The user.
    pub actor: HubUserId,
    /// The tenant that is administered: the administrator's own one, or any for a super administrator.
    pub tenant: TenantId,
    /// Whether the administrator may administer every tenant.
    pub is_super: bool,
    /// The address of the request.
    pub address: IpAddr,
    /// The id of the request.
    pub request_id: Option<RequestId>,
}

/// An administrator's redaction of another user's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redaction<'a> {
    /// The room.
    pub room: &'a RoomId,
    /// The message.
    pub message: &'a EventId,
    /// The sender of the message.
    pub sender: &'a MatrixUserId,
    /// The reason that the administrator states.
    pub reason: Option<&'a str>,
}

/// An entry of the audit log: one act of an administrator.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its id. Later entries have larger ids.
    pub id: i64,
    /// The time of the act.
    pub at: Timestamp,
    /// The tenant that was administered.
    pub tenant: TenantId,
    /// The administrator.
    pub actor: HubUserId,
    /// The act, such as `user.rename`.
    pub action: String,
    /// The object of the act: the id of a user, room, message or notification.
    pub subject: String,
    /// The changed values before the act; `None` if there were none.
    pub before: Option<Value>,
    /// The changed values after the act; `None` if there are none.
    pub after: Option<Value>,
    /// The address of the request.
    pub address: IpAddr,
    /// The id of the request.
    pub request_id: Option<String>,
}

/// A query for entries of the audit log, newest first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// The administrator; `None` for all.
    pub actor: Option<String>,
    /// The act, such as `user.rename`; `None` for all.
    pub action: Option<String>,
    /// The object of the act; `None` for all.
    pub subject: Option<String>,
    /// Only entries with smaller ids; `None` for the newest.
    pub before: Option<i64>,
    /// The largest number of results.
    pub limit: i64,
}
