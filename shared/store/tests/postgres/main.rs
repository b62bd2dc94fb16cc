//! PostgreSQL keeps the contract of the ports, also under stress.
#![expect(clippy::expect_used, reason = "what a test needs and cannot have fails the test")]

mod ageing;
mod contract;
mod database;
mod ephemeral_bus;
mod feed_stress;
mod identities;
mod media_owners;
mod normal_names;
mod old_rooms;
mod plans;
mod statements;
