//! A Lambda Runtime API on loopback, for tests and measurements.
#![doc = include_str!("../README.md")]

mod event;
mod function;
mod outcome;
mod runtime_api;

pub use event::{Address, Gateway, Request};
pub use function::Function;
pub use outcome::{Failure, HttpResponse, Outcome, Streamed};
pub use runtime_api::{Invocation, RuntimeApi};
