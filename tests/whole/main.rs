//! The whole service, from the outside.

mod accounts;
mod crashes;
mod doors;
mod following;
mod notifying;
mod outages;
mod polling;
mod upstreams;
mod well;
