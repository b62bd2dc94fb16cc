//! The live part of one process: the broker of the event log, its event streams, and caches.

pub mod broker;
pub(crate) mod cache;
pub mod echoes;
pub mod ephemeral_channel;
pub mod event_stream;
pub(crate) mod follow_ups;
pub mod lock;
pub(crate) mod send_buffer;
pub(crate) mod sent_buffer;
pub(crate) mod stream_counts;
