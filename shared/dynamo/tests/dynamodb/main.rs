//! The copy of the event log on DynamoDB: a relay from a real PostgreSQL into a real server of the API of DynamoDB,
//! and the feed that reads the copy.
#![expect(clippy::expect_used, reason = "a missing prerequisite fails the test")]

mod contract;
mod failures;
mod fault_proxy;
mod fixture;
mod log;
mod readers;
mod restored;
mod stress;
