//! Ports for the servers of this crate.
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use rand::Rng;

use crate::home::{Lock, read_or_create};

/// Ports below those of outgoing connections (Linux: 32768 and up): a connection could take such a port while
/// a server is stopped.
const FIRST: u16 = 20_000;
/// The number of blocks that begin at [`FIRST`].
const BLOCKS: u16 = 240;
/// Ports of a block.
const BLOCK: u16 = 50;

/// The blocks of ports that this process has reserved.
static RESERVED: Mutex<Reserved> = Mutex::new(Reserved { unused: 0..0, locks: Vec::new() });

struct Reserved {
    unused: Range<u16>,
    /// Held until the process ends, so that no other process of this crate hands out the same ports.
    locks: Vec<Lock>,
}

impl Reserved {
    /// Reserves another block.
    fn extend(&mut self) -> Result<()> {
        let directory =
            std::env::temp_dir().join(format!("messenger-ports-{}", rustix::process::getuid().as_raw()));
        let begin = rand::rng().random_range(0..BLOCKS);
        for index in (begin..BLOCKS).chain(0..begin) {
            if let Some(lock) = Lock::try_take(&directory.join(index.to_string()))? {
                self.locks.push(lock);
                let first = FIRST + index * BLOCK;
                self.unused = first..first + BLOCK;
                return Ok(());
            }
        }
        anyhow::bail!("no free loopback port found: other processes have reserved all of them")
    }
}

/// Returns a loopback port on which no process listens. No other call returns it while this process runs, in
/// this process or another one, so that a server can be started on it later.
pub fn free_port() -> Result<u16> {
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(port) = reserved.unused.find(|port| is_free(*port)) {
            return Ok(port);
        }
        reserved.extend()?;
    }
}

/// Returns whether a server can listen on this loopback port now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Returns the port that is stored in `file`, so that an address stays the same from start to start. Stores
/// and returns another port if that one is taken.
pub fn stored_port(file: &Path) -> Result<u16> {
    let free = free_port()?;
    let port = read_or_create(file, || free.to_string())?.parse().unwrap_or(free);
    if port == free || is_free(port) {
        return Ok(port);
    }
    std::fs::write(file, free.to_string()).with_context(|| format!("writing {}", file.display()))?;
    Ok(free)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_port_is_returned_twice() {
        let ports: HashSet<u16> = (0..200).map(|_| free_port().expect("a port")).collect();
        assert_eq!(ports.len(), 200);
    }

    #[test]
    fn a_port_on_which_a_process_listens_is_passed_over() {
        let port = free_port().expect("a port");
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1));
        assert_ne!(free_port().expect("a port"), port + 1);
    }

    /// Locks of one process exclude each other as those of two do.
    #[test]
    fn two_processes_reserve_different_blocks() {
        let blocks: HashSet<u16> = (0..50)
            .map(|_| {
                let mut process = Reserved { unused: 0..0, locks: Vec::new() };
                process.extend().expect("a block");
                RESERVED.lock().expect("no panic").locks.append(&mut process.locks);
                process.unused.start
            })
            .collect();
        assert_eq!(blocks.len(), 50);
    }
}
