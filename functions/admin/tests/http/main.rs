//! The administration, on the wire: on PostgreSQL, and on a homeserver in memory.
#![expect(clippy::expect_used, reason = "a missing prerequisite fails the test")]

mod access;
mod choices;
mod closing;
mod fixture;
mod notifications;
mod old_panel;
mod rooms;
mod statistics;
mod users;
