//! The lease of a relay. Its end is measured here as well, so that a relay that was frozen notices it.

use std::time::{Duration, Instant};

use messenger_core::{
    Error, Result,
    error::Failure,
    id::Position,
    lease::Lease,
    port::{FeedCopy, FeedCopyPorts},
};

use super::Ended;
use crate::{error::fault, item::Keys, table::OPERATION};

/// The duration of the lease: the longest time without a relay after one was killed.
const LEASE: Duration = Duration::from_secs(8);
/// The time that is left when a lease is renewed.
const RENEWAL: Duration = Duration::from_secs(5);

/// A lease that this relay holds.
pub(super) struct Held {
    ports: FeedCopyPorts,
    relay: String,
    keys: Keys,
    announced: Position,
    until: Instant,
}

impl Held {
    /// Takes the lease, if no other relay holds it.
    pub(super) async fn claim(
        ports: &FeedCopyPorts,
        relay: &str,
        retention: Duration,
    ) -> Result<Self, Ended> {
        let until = Instant::now() + LEASE;
        let FeedCopy { id, announced } = held(ports.copies.claim(relay, LEASE, retention).await?)?;
        Ok(Self { ports: ports.clone(), relay: relay.to_owned(), keys: Keys::new(&id), announced, until })
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn announced(&self) -> Position {
        self.announced
    }

    /// Gives the copy another id.
    pub(super) async fn replace(&mut self) -> Result<(), Ended> {
        let FeedCopy { id, announced } = held(self.ports.copies.replace(&self.relay).await?)?;
        (self.keys, self.announced) = (Keys::new(&id), announced);
        Ok(())
    }

    /// Announces a position of the head, and renews the lease.
    pub(super) async fn announce(&mut self, position: Position) -> Result<(), Ended> {
        let until = Instant::now() + LEASE;
        let copies = &self.ports.copies;
        held(copies.announce(&self.relay, self.keys.copy(), position, LEASE).await?)?;
        self.announced = self.announced.max(position);
        self.until = until;
        Ok(())
    }

    /// Stores that the copy has all events up to a position, and signals it.
    pub(super) async fn relayed(&self, position: Position) -> Result<(), Ended> {
        held(self.ports.copies.relayed(&self.relay, self.keys.copy(), position).await?)
    }

    /// Renews the lease if it ends soon, and fails if it is over: a write that begins now ends before it does.
    pub(super) async fn keep(&mut self) -> Result<(), Ended> {
        if self.left() < RENEWAL {
            self.announce(self.announced).await?;
        }
        if self.left() > OPERATION { Ok(()) } else { Err(over().into()) }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

fn held<T>(lease: Lease<T>) -> Result<T, Ended> {
    lease.held().ok_or(Ended::Lost)
}

fn over() -> Error {
    fault(Failure::TimedOut, "copying the event log", "the lease of the relay is over")
}
