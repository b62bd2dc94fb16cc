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
mod fuse;
pub mod given;
mod homeserver;
mod hub;
mod memory;
pub mod sse;
mod vault;

pub use clock::TestClock;
pub use homeserver::{MemoryHomeserver, Message};
pub use hub::{HubBuilder, Running, TestHub, hub};
pub use memory::{Memory, messages::Summary};
pub use vault::OpenVault;

/// What a test of the contract ends with.
pub type Kept = messenger_core::Result<()>;
