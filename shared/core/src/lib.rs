#![doc = include_str!("../README.md")]

mod administration;
pub mod app;
pub mod domain;
pub mod live;
pub mod messenger;
pub mod port;
pub mod sync;

pub use administration::Administration;
pub use domain::{
    admin, alarm, audiences, cursor, ephemeral, error, event, external, id, inbox, json, lease, markdown,
    media, message, name, notification, origin, receipt, rendering, room, room_event, search, time, typing,
    user,
};
pub use domain::{
    error::{Error, Result},
    matrix_ids::MatrixIds,
    settings::{FeedCopySettings, MessengerSettings},
};
pub use live::lock::lock;
pub use messenger::Messenger;
pub use port::Ports;
