//! Engines that ingest the events of the homeserver: those it pushes, and those that push did not bring.

pub mod adopt;
pub mod backfill;
pub mod bot_notices;
pub mod catch_up;
pub mod discovery;
pub mod encryption;
pub mod ingest;
pub mod invitations;
pub(crate) mod pages;
pub mod pending_echoes;
pub mod provisioning;
pub mod push;
pub mod quarantine;
pub mod receipts;
pub mod reconcile;
pub mod typing;
pub mod upgrades;
