//! PostgreSQL keeps the contract of the ports, also under stress.
#![expect(clippy::expect_used, reason = "what a test needs and cannot have fails the test")]

mod ageing;
mod contract;
mod database;
mod ephemeral_bus;
mod feed_stress;
mod identities;
mod plans;
mod power_levels;
mod schema;
mod statements;
