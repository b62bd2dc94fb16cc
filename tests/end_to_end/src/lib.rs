#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "this crate is for tests only: a failed expectation panics"
)]

mod alarm;
mod arrivals;
pub mod client;
mod collector;
mod deployment;
pub mod event_store;
mod faults;
mod front;
mod homeserver;
mod plan;
mod push_proxy;
mod recorder;
mod room;
mod stack;
mod waiting;

pub use alarm::{AlarmMessages, Begun, Reports, sent};
pub use arrivals::Arrivals;
pub use client::{Client, EventStream, TestResponse, TestUser};
pub use collector::{Collector, ExportedSpan};
pub use deployment::{
    Control, Deployment, control_of_deployment, is_on_deployment, is_skipped_on_deployment,
    is_skipped_on_lambda,
};
pub use faults::Part;
pub use homeserver::{Server, is_conduit, is_skipped_on_conduit};
pub use plan::{First, Plan};
pub use push_proxy::PushProxy;
pub use recorder::StreamRecorder;
pub use room::{Matrix, Unread, encoded};
pub use stack::Stack;
pub use waiting::{eventually, rounds, wait_until};
