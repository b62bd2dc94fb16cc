//! The ports of administration.

mod audit_log;
mod bulk_acts;
mod notification_search;
mod notifications;
mod rooms;
mod statistics;
mod users;
