#![doc = include_str!("../README.md")]

mod account;
mod appservice;
pub mod bootstrap;
mod call;
mod closing;
mod config;
mod device;
mod direct;
mod ephemeral_events;
mod error;
mod files;
mod homeserver;
mod keyed_lock;
mod login;
mod member;
mod outcomes;
mod ownership;
mod passwords;
mod path;
mod push_rules;
pub mod registration;
mod relations;
mod restore;
mod room;
mod spans;
mod state;
mod timeline;
mod unanswered;
pub mod wire;

pub use appservice::Appservice;
pub use bootstrap::{bootstrap, bootstrap_without_push};
pub use config::{AdminAccount, HomeserverConfig};
pub use passwords::Passwords;
pub use registration::Registration;
