//! Administration of a tenant, one engine for each resource.

pub mod access;
pub mod audit;
pub mod bulk_acts;
pub mod last_seen;
pub mod notifications;
pub mod rooms;
pub mod statistics;
pub mod users;
