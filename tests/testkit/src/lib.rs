#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a promise that is not kept is told by a panic: this crate is for tests only"
)]

mod clock;
pub mod contract;
mod fault;
pub mod fixtures;
mod homeserver;
mod memory;
mod messenger;
pub mod sse;
mod vault;

pub use clock::TestClock;
pub use homeserver::{MemoryHomeserver, Message};
pub use memory::{Memory, messages::Summary};
pub use messenger::{HubBuilder, Running, TestMessenger, messenger};
pub use vault::OpenVault;

/// What a test of the contract ends with.
pub type Kept = messenger_core::Result<()>;
