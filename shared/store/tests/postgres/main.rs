//! Tests of the ports on PostgreSQL.
#![expect(clippy::expect_used, reason = "a missing prerequisite fails the test")]

mod admin_users;
mod administration;
mod ageing;
mod contract;
mod database;
mod ephemeral_bus;
mod feed_stress;
mod identities;
mod inbox;
mod message_search;
mod notification_search;
mod notification_times;
mod plans;
mod pooler;
mod schema;
mod statements;
mod tls;
