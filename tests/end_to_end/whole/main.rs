//! The whole service, from the outside.
#![expect(clippy::expect_used, reason = "what a test needs and cannot have fails the test")]

mod accounts;
mod both_ways;
mod crashes;
mod doors;
mod elsewhere;
mod external;
mod following;
mod framing;
mod identity;
mod messages;
mod notifying;
mod other_clients;
mod outages;
mod polling;
mod push;
mod readme;
mod refusals;
mod rooms;
mod typing;
mod upstreams;
mod well;
