#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "what a test needs and cannot have fails the test: this crate is for tests only"
)]

pub mod client;
mod gate;
mod homeserver;
mod listener;
mod plan;
mod room;
mod stack;

pub use client::{Client, EventStream, TestResponse, TestUser};
pub use gate::Gate;
pub use homeserver::{Server, is_skipped_on_conduit};
pub use listener::{Listener, difference};
pub use plan::{First, Plan};
pub use room::{Matrix, encoded};
pub use stack::Stack;
