//! Sockets in the network namespace of another process.
use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::oneshot;

/// The time limit of a connection to a container.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A network namespace. A socket belongs to the namespace in which it was made, whoever uses it.
#[derive(Clone, Debug)]
pub struct Namespace(Option<Arc<File>>);

impl Namespace {
    /// Returns the namespace of this process.
    pub fn of_this_process() -> Self {
        Self(None)
    }

    /// Returns the namespace of another process, which needs root.
    pub fn of_process(id: i32) -> Result<Self> {
        let path = format!("/proc/{id}/ns/net");
        let file = File::open(&path).with_context(|| format!("opening {path}"))?;
        Ok(Self(Some(Arc::new(file))))
    }

    /// Listens in the namespace.
    pub async fn listen(&self, address: SocketAddr) -> Result<tokio::net::TcpListener> {
        let listener = self.inside(move || TcpListener::bind(address)).await;
        let listener = listener.with_context(|| format!("listening on {address}"))?;
        listener.set_nonblocking(true)?;
        Ok(tokio::net::TcpListener::from_std(listener)?)
    }

    /// Connects in the namespace.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
        let stream = self.inside(move || TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)).await?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        tokio::net::TcpStream::from_std(stream)
    }

    /// Runs a function on a thread of its own inside the namespace.
    async fn inside<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, result) = oneshot::channel();
        let namespace = self.0.clone();
        std::thread::spawn(move || {
            let enter =
                |file: &Arc<File>| move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
            let entered = namespace.as_ref().map_or(Ok(()), enter);
            // If the caller has gone, the socket is not needed.
            let _ = sender.send(entered.map_err(io::Error::from).and_then(|()| make()));
        });
        result.await.map_err(io::Error::other)?
    }
}
