#![doc = include_str!("../README.md")]

mod adopt;
mod audiences;
pub mod delivery;
mod echo;
pub mod error;
pub mod event;
pub mod external;
pub mod follow;
pub mod hub;
pub mod id;
pub mod inbound;
pub mod json;
mod mailbox;
pub mod media;
pub mod message;
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
pub mod tail;
pub mod time;
pub mod typing;
pub mod user;
pub mod whisper;

pub use error::{Error, Result};
pub use hub::{Hub, Ports, Settings};
