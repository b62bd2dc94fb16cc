//! The address of a client: that of its connection, or the one that a trusted proxy states.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{Extensions, HeaderMap};
use ipnet::IpNet;
use lambda_http::request::RequestContext;

/// The header in which proxies name the client. Each proxy appends the address that connected to it.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of a connection; an extension of each request that came over a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// `TRUSTED_PROXIES`: the proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl Peer {
    /// Maps IPv4-mapped IPv6 addresses (`::ffff:a.b.c.d`) to IPv4.
    pub(crate) fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

impl TrustedProxies {
    /// Parses addresses and networks with commas between them. Returns the part that is neither as the error.
    pub fn parse(list: &str) -> Result<Self, String> {
        let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let address = || part.parse::<IpAddr>().map(IpNet::from);
            part.parse().or_else(|_| address()).map_err(|_| part.to_owned())
        };
        Ok(Self(parts.map(network).collect::<Result<_, _>>()?))
    }

    /// Returns whether the proxy at this address is trusted.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the address of the client of a request. `X-Forwarded-For` is read from its end, for as long as
    /// the writer of an entry is trusted; entries that the client itself wrote are never reached.
    pub(crate) fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        let mut client = match extensions.get::<Peer>() {
            Some(Peer(peer)) => *peer,
            None => return lambda_source(extensions),
        };
        let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
        let chain: Vec<_> = lines.flat_map(|line| line.split(',')).collect();
        for entry in chain.into_iter().rev() {
            if !self.contain(client) {
                break;
            }
            match parse(entry.trim()) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// Parses an entry of `X-Forwarded-For`. Some proxies add a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let address = entry.parse().or_else(|_| entry.parse().map(|socket: std::net::SocketAddr| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

fn lambda_source(extensions: &Extensions) -> IpAddr {
    let source = match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref().and_then(parse),
        Some(RequestContext::ApiGatewayV1(context)) => context.identity.source_ip.as_deref().and_then(parse),
        _ => None,
    };
    source.unwrap_or(Ipv4Addr::UNSPECIFIED.into())
}

/// Returns the address by which a client is counted: of IPv6 the network of 64 bits, which one client has to
/// itself.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the client of a request from `peer` with these lines of `X-Forwarded-For`.
    fn client(trusted: &str, peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().expect("a header"));
        }
        let mut extensions = Extensions::new();
        extensions.insert(Peer::new(peer.parse().expect("an address")));
        let trusted = TrustedProxies::parse(trusted).expect("proxies");
        trusted.client(&extensions, &headers).to_string()
    }

    #[test]
    fn x_forwarded_for_is_read_for_as_long_as_its_writers_are_trusted() {
        assert_eq!(client("", "10.0.0.1", &["1.2.3.4"]), "10.0.0.1", "no proxy is trusted by default");
        assert_eq!(client("10.0.0.2", "10.0.0.1", &["1.2.3.4"]), "10.0.0.1", "another one is trusted");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(
            client("10.0.0.1", "10.0.0.1", &["9.9.9.9, 1.2.3.4"]),
            "1.2.3.4",
            "the client itself wrote 9.9.9.9"
        );
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["9.9.9.9, 1.2.3.4 ,10.0.0.7"]), "1.2.3.4");
        assert_eq!(client("10.0.0.0/8", "10.0.0.1", &["9.9.9.9", "1.2.3.4", "10.0.0.7"]), "1.2.3.4");
        assert_eq!(client("10.0.0.1", "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", "10.0.0.1", &["1.2.3.4, unknown"]), "10.0.0.1");
        assert_eq!(client("::1", "::1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", "::ffff:10.0.0.1", &["::ffff:1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn a_client_of_ipv6_is_counted_by_its_network() {
        let counted = |address: &str| counted(address.parse().expect("an address")).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn a_part_that_is_neither_address_nor_network_is_named() {
        for (list, wrong) in
            [("nginx", "nginx"), ("10.0.0.1, 10.0.0.0/33", "10.0.0.0/33"), ("::1,::g", "::g")]
        {
            assert_eq!(TrustedProxies::parse(list).err().as_deref(), Some(wrong));
        }
        assert!(TrustedProxies::parse(" 10.0.0.1 , fd00::/8,").is_ok());
    }
}
