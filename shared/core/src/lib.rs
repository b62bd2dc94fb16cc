#![doc = include_str!("../README.md")]

mod adopt;
mod audiences;
pub mod broker;
pub mod delivery;
mod echo;
pub mod ephemeral;
pub mod error;
pub mod event;
pub mod external;
pub mod id;
pub mod inbound;
pub mod json;
pub mod media;
pub mod message;
pub mod messenger;
pub mod name;
mod notices;
pub mod notification;
pub mod poll;
pub mod port;
pub mod provision;
pub mod receipt;
pub mod reconcile;
pub mod rendering;
pub mod room;
mod send_buffer;
pub mod subscription;
pub mod time;
pub mod typing;
pub mod user;

pub use error::{Error, Result};
pub use messenger::{Messenger, MessengerSettings, Ports};
