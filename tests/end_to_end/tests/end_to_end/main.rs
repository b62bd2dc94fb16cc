//! End-to-end tests of the whole service.
#![expect(clippy::expect_used, reason = "a failed expectation fails the test")]

mod accounts;
mod alarm_calls;
mod alarms;
mod authorization;
mod closing;
mod conversations;
mod crashes;
mod edge;
mod event_store;
mod external_access;
mod framing;
mod health;
mod identity;
mod inbox;
mod invalid_requests;
mod invitations;
mod messages;
mod notifications;
mod other_clients;
mod outages;
mod polling;
mod probes;
mod prometheus;
mod push;
mod readme;
mod refusals;
mod rooms;
mod searching;
mod streams;
mod traces;
mod two_way_sync;
mod typing;
mod upstreams;
mod without_database;
