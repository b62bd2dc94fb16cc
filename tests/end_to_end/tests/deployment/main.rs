//! Tests of a deployment of containers (`cargo xtask compose test`); elsewhere each one is skipped.
#![expect(clippy::expect_used, reason = "a failed expectation fails the test")]

mod edge;
mod scaling;
mod stopping;
