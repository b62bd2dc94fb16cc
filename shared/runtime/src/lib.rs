#![doc = include_str!("../README.md")]

pub mod app;
pub mod auth;
mod bearer;
mod cached;
pub mod caller;
pub mod config;
mod connection;
mod connections;
pub mod fields;
pub mod homeserver;
pub mod if_match;
pub mod limits;
pub mod logging;
mod metrics;
pub mod notifications;
pub mod openapi;
pub mod origin;
pub mod probe;
mod probes;
pub mod problem;
pub mod program;
mod readiness;
mod readings;
mod refusal;
mod request_head;
mod request_log;
mod retry_reads;
pub mod serve;
pub mod session;
pub mod setup;
mod shutdown;
mod sse_socket;
#[cfg(feature = "testing")]
pub mod testing;
pub mod traces;
mod vault;

pub use app::App;
pub use bearer::bearer;
pub use config::Config;
pub use connection::Connection;
pub use openapi::Routes;
pub use problem::ApiError;
pub use program::{Program, ResponseMode};
pub use serve::{listen, main_with, serve, stack};
pub use shutdown::Shutdown;
