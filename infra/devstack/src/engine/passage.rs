//! A way for TCP connections from one network namespace into another.
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::Namespace;
use crate::lock;

/// A port whose connections lead to an address in another namespace. Dropping it closes the port.
#[derive(Debug)]
pub struct Passage {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    task: JoinHandle<()>,
}

impl Passage {
    /// Listens on `address` in one namespace, and passes connections to `target` in the other one.
    pub async fn open(
        from: &Namespace,
        address: SocketAddr,
        to: &Namespace,
        target: SocketAddr,
    ) -> Result<Self> {
        let listener = from.listen(address).await?;
        let address = listener.local_addr()?;
        let target = Arc::new(Mutex::new(target));
        let (to, reading) = (to.clone(), Arc::clone(&target));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let target = *lock(&reading);
                tokio::spawn(pass(stream, to.clone(), target));
            }
        });
        Ok(Self { address, target, task })
    }

    /// Listens on a port of this machine's loopback; 0 for a free one.
    pub async fn from_here(port: u16, to: &Namespace, target: SocketAddr) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self::open(&Namespace::of_this_process(), address, to, target).await
    }

    /// Returns the address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes new connections to another address.
    pub fn lead_to(&self, target: SocketAddr) {
        *lock(&self.target) = target;
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut outer: TcpStream, to: Namespace, target: SocketAddr) {
    let Ok(mut inner) = to.connect(target).await else { return };
    let _ = outer.set_nodelay(true);
    // Either side may break the connection: then both end.
    let _ = copy_bidirectional(&mut outer, &mut inner).await;
}
