//! Administration of a tenant, one engine for each resource.

pub mod access;
pub mod audit;
pub mod last_seen;
pub mod users;
