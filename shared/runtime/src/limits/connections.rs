//! Limits of connections, in all and for each address, so that file descriptors never run out.

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

/// Most file descriptors that are requested from the system.
const FILES_MAX: u64 = 1 << 20;
/// The smallest and largest reserve of file descriptors for health checks, refusals, the database, the
/// homeserver and files.
const RESERVE: (u64, u64) = (96, 1024);
/// Most connections beyond the limit whose first request is read: it may be a health check. Others are closed
/// at once.
const BEYOND: usize = 32;
/// Most of these for one address.
const BEYOND_PER_ADDRESS: u32 = 8;

/// The connections of a server.
pub(crate) struct Admissions {
    config: LimitConfig,
    /// The first file descriptor of the reserve.
    files: u64,
    total: Slots,
    addresses: Slots,
    beyond: Arc<Semaphore>,
    beyond_addresses: Slots,
}

/// A connection that is served. It counts until this is dropped.
pub(crate) struct Admitted {
    _total: Slot,
    _address: Slot,
}

/// A connection beyond a limit whose first request is read. It counts until this is dropped.
pub(crate) struct Beyond {
    /// Whether the limit of its address is exceeded, and not the total limit.
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
    /// Raises the limit of file descriptors as far as this process may.
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

    /// Decides how an accepted connection is served.
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

    /// Returns whether a new connection takes a file descriptor from the reserve. The system gives the lowest
    /// free number, so the number of a new one is about the number in use.
    fn reaches_reserve(&self, descriptor: RawFd) -> bool {
        u64::try_from(descriptor).is_ok_and(|number| number >= self.files)
    }

    /// Returns the limit of an address; zero is no limit. Trusted proxies have none, since many clients share
    /// them.
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

/// Raises the soft limit of open files to the hard one. Returns the limit.
fn raise_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(FILES_MAX).min(FILES_MAX);
    let soft = limit.current.unwrap_or(FILES_MAX);
    if soft < hard && setrlimit(Resource::Nofile, Rlimit { current: Some(hard), ..limit }).is_ok() {
        return hard;
    }
    soft
}
