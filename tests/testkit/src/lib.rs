#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "this crate is for tests only: a failed expectation panics"
)]

mod clock;
pub mod contract;
mod fault;
pub mod fixtures;
mod homeserver;
pub mod log;
mod memory;
mod messenger;
pub mod sse;
mod vault;

pub use clock::TestClock;
pub use homeserver::{MemoryHomeserver, Message};
pub use memory::{Memory, messages::Summary};
pub use messenger::{MessengerBuilder, Running, TestMessenger, messenger};
pub use vault::TransparentVault;

/// The result of a contract test.
pub type ContractResult = messenger_core::Result<()>;
