//! Types and pure rules, without ports and I/O.

pub mod admin;
pub mod audiences;
pub mod cursor;
pub mod entity;
pub mod ephemeral;
pub mod error;
pub mod event;
pub mod external;
pub mod id;
pub mod json;
pub mod lease;
pub mod matrix_ids;
pub mod media;
pub mod message;
pub mod name;
pub(crate) mod notices;
pub mod notification;
pub mod origin;
pub mod receipt;
pub mod rendering;
pub mod room;
pub mod room_event;
pub mod settings;
pub mod time;
pub mod typing;
pub mod user;
