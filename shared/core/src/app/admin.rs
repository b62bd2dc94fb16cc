//! Administration of a tenant, one engine for each resource.

pub mod access;
pub mod audit;
