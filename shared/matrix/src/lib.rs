#![doc = include_str!("../README.md")]

mod account;
mod appservice;
pub mod bootstrap;
mod call;
mod config;
mod direct;
mod error;
mod member;
mod passwords;
mod path;
pub mod registration;
mod room;

pub use appservice::Appservice;
pub use bootstrap::{AdminAccount, bootstrap};
pub use config::Config;
pub use passwords::Passwords;
pub use registration::Registration;
