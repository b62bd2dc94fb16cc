//! The ports of administration.

mod act_parameters;
mod audit_log;
mod bulk_acts;
mod notification_search;
mod notifications;
mod rooms;
mod statistics;
mod users;

pub(crate) use act_parameters::ActParameters;
