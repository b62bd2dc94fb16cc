//! The ports of administration.

mod audit_log;
mod users;
