//! Connections: how many are served, in all and for each address, so that file descriptors never run out.

use std::{
    net::IpAddr,
    os::fd::{AsRawFd as _, RawFd},
    sync::Arc,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{
    address::{Peer, counted},
    slots::{Slot, Slots},
};
use crate::config::LimitConfig;

/// Most file descriptors that are asked for.
const FILES_MAX: u64 = 1 << 20;
/// Fewest and most file descriptors that connections leave alone. They are for health checks, refusals, the database,
/// the homeserver and files.
const RESERVE: (u64, u64) = (96, 1024);
/// Most connections beyond the limit that are looked at: a health check may be among them. Others are closed at once.
const BEYOND: usize = 32;
/// Most of them that an address may have.
const BEYOND_PER_ADDRESS: u32 = 8;

/// The connections of a server.
pub(crate) struct Admissions {
    config: LimitConfig,
    /// Connections with a number from here on take from the reserve.
    files: u64,
    total: Slots,
    addresses: Slots,
    beyond: Arc<Semaphore>,
    beyond_addresses: Slots,
}

/// A connection that is served; it counts until this is dropped.
pub(crate) struct Admitted {
    _total: Slot,
    _address: Slot,
}

/// A connection beyond a limit, which is looked at; it counts until this is dropped.
pub(crate) struct Beyond {
    /// Whether it is the limit of its address, and not of the whole.
    pub(crate) of_address: bool,
    _permit: OwnedSemaphorePermit,
    _address: Slot,
}

pub(crate) enum Admission {
    Served(Admitted),
    /// Only health checks are answered on it.
    Beyond(Beyond),
    Closed,
}

impl Admissions {
    /// Asks for as many file descriptors as this process may have.
    pub(crate) fn new(config: LimitConfig) -> Self {
        let files = raise_files();
        let (least, most) = RESERVE;
        Self {
            config,
            files: files.saturating_sub((files / 8).clamp(least, most)),
            total: Slots::new(),
            addresses: Slots::new(),
            beyond: Arc::new(Semaphore::new(BEYOND)),
            beyond_addresses: Slots::new(),
        }
    }

    /// Decides over a connection that was accepted.
    pub(crate) fn admit(&self, socket: &TcpStream, peer: Peer) -> Admission {
        let address = counted(peer.0);
        let total = if self.reaches_reserve(socket.as_raw_fd()) {
            None
        } else {
            self.total.take((), self.config.connections)
        };
        let of_address = total.is_some();
        if let Some(total) = total
            && let Some(slot) = self.addresses.take(address, self.most_of(peer.0))
        {
            return Admission::Served(Admitted { _total: total, _address: slot });
        }
        let permit = self.beyond.clone().try_acquire_owned();
        match (permit, self.beyond_addresses.take(address, BEYOND_PER_ADDRESS)) {
            (Ok(permit), Some(slot)) => {
                Admission::Beyond(Beyond { of_address, _permit: permit, _address: slot })
            }
            _ => Admission::Closed,
        }
    }

    /// The system gives the lowest number that is free, so the number of a new connection says how many descriptors of
    /// any kind are in use.
    fn reaches_reserve(&self, descriptor: RawFd) -> bool {
        u64::try_from(descriptor).is_ok_and(|number| number >= self.files)
    }

    /// The limit of an address; zero is none. Proxies speak for many.
    fn most_of(&self, peer: IpAddr) -> u32 {
        if self.config.trusted_proxies.contain(peer) {
            return 0;
        }
        match self.config.connections_per_address {
            Some(most) => most,
            None if peer.is_loopback() => 0,
            None => {
                let files = u32::try_from(self.files).unwrap_or(u32::MAX);
                let all =
                    if self.config.connections == 0 { files } else { files.min(self.config.connections) };
                (all / 4 * 3).max(1)
            }
        }
    }
}

/// Raises the soft limit of open files to the hard one. Returns how many there may be.
fn raise_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(FILES_MAX).min(FILES_MAX);
    let soft = limit.current.unwrap_or(FILES_MAX);
    if soft < hard && setrlimit(Resource::Nofile, Rlimit { current: Some(hard), ..limit }).is_ok() {
        return hard;
    }
    soft
}
