//! A URL of the configuration, and the addresses of its name.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    thread,
    time::Duration,
};

use http::Uri;
use tokio::{sync::oneshot, time::timeout};

/// Time limit of a lookup.
const LOOKUP_WAIT: Duration = Duration::from_secs(5);
/// The port of a URL without one.
const DEFAULT_PORT: u16 = 80;

/// A URL of the configuration.
pub(super) struct Origin {
    pub(super) url: Uri,
    host: Host,
    port: u16,
}

enum Host {
    Address(IpAddr),
    Name(String),
}

impl Origin {
    /// Parses `http://rooms:8000`.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let parsed: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
        let host = parsed.host().filter(|host| !host.is_empty());
        let (Some("http"), Some(host), "/") = (parsed.scheme_str(), host, parsed.path()) else {
            return Err(format!("`{url}` must be like http://host:8000, without a path"));
        };
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        let host = address.map_or_else(|_| Host::Name(host.to_owned()), Host::Address);
        Ok(Self { host, port: parsed.port_u16().unwrap_or(DEFAULT_PORT), url: parsed })
    }

    /// Returns whether its host is an address, which never changes.
    pub(super) fn is_address(&self) -> bool {
        matches!(self.host, Host::Address(_))
    }

    /// Returns all of its addresses.
    pub(super) async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.host {
            Host::Address(address) => Ok(vec![SocketAddr::new(*address, self.port)]),
            Host::Name(name) => {
                let found = timeout(LOOKUP_WAIT, look_up(name.clone(), self.port));
                found.await.map_err(|_| io::ErrorKind::TimedOut)?
            }
        }
    }
}

/// Looks a name up by the system.
async fn look_up(name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (sender, found) = oneshot::channel();
    // A thread of its own: the end of the runtime would wait for a blocking task, however long a name server
    // is silent.
    thread::Builder::new().name("lookup".to_owned()).spawn(move || {
        // The receiver may have given up.
        let _ = sender.send((name, port).to_socket_addrs().map(Iterator::collect));
    })?;
    found.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_by_the_system_and_a_literal_is_its_address() {
        let local = Origin::parse("http://localhost:8000").unwrap().addresses().await.unwrap();
        assert!(!local.is_empty() && local.iter().all(|one| one.ip().is_loopback()), "{local:?}");
        let literal = Origin::parse("http://[::1]").unwrap().addresses().await.unwrap();
        assert_eq!(literal, ["[::1]:80".parse().unwrap()]);
        assert!(Origin::parse("http://nothing.invalid:80").unwrap().addresses().await.is_err());
    }
}
