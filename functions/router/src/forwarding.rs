//! Headers of forwarded requests and responses: hop-by-hop headers, and those in which proxies name the
//! client.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use messenger_runtime::limits::{Peer, TrustedProxies};

/// Hop-by-hop headers (RFC 9110, section 7.6.1). `Connection` may name more.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// The prefix of hop-by-hop headers of proxies: `Proxy-Connection`, `Proxy-Authenticate`,
/// `Proxy-Authorization` and so on.
const PROXY: &str = "proxy-";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The headers in which proxies name the client, its host and its scheme.
const FORWARDED: [HeaderName; 4] =
    [FORWARDED_FOR, FORWARDED_HOST, HeaderName::from_static("x-forwarded-proto"), header::FORWARDED];

/// Removes the headers that a proxy does not forward, in either direction.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let named = named.flat_map(|line| line.split(',')).filter_map(|name| name.trim().parse().ok());
    let proxies = headers.keys().filter(|name| name.as_str().starts_with(PROXY)).cloned();
    let remove: Vec<HeaderName> = named.chain(proxies).chain(HOP_BY_HOP).collect();
    for name in remove {
        headers.remove(name);
    }
}

/// Replaces the headers in which proxies name the client: those of a peer that is no trusted proxy are removed,
/// and the peer's address and `Host`, which becomes that of the copy, are appended. A function that trusts the
/// router reads them.
pub(crate) fn forward_client(extensions: &Extensions, headers: &mut HeaderMap, trusted: &TrustedProxies) {
    let peer = extensions.get::<Peer>().map(|Peer(peer): &Peer| *peer);
    // Without a peer, as on Lambda, the platform has written them.
    if peer.is_some_and(|peer| !trusted.contain(peer)) {
        for name in FORWARDED {
            headers.remove(name);
        }
    }
    if let Some(peer) = peer.and_then(|peer| HeaderValue::try_from(peer.to_string()).ok()) {
        headers.append(FORWARDED_FOR, peer);
    }
    if let Some(host) = headers.remove(header::HOST) {
        headers.append(FORWARDED_HOST, host);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn only_hop_by_hop_headers_are_removed() {
        let mut headers = HeaderMap::new();
        let lines = [
            ("connection", "close, X-Private ,"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic x"),
            ("proxy-authenticate", "Basic"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-private", "1"),
            ("x-public", "2"),
            ("content-length", "3"),
        ];
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name, value);
            }
        }
        headers.append("connection", HeaderValue::from_static("x-other"));
        headers.append("x-other", HeaderValue::from_static("3"));
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-public"]);
    }

    /// Returns the lines of these headers after a request of `192.0.2.7` with such headers of a proxy.
    fn forwarded(trusted: &str) -> [String; 4] {
        let (mut extensions, mut headers) = (Extensions::new(), HeaderMap::new());
        for (name, value) in [
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-host", "hub.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=9.9.9.9"),
            ("host", "router:8000"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        extensions.insert(Peer(IpAddr::from([192, 0, 2, 7])));
        forward_client(&extensions, &mut headers, &TrustedProxies::parse(trusted).unwrap());
        assert!(!headers.contains_key("host"));
        FORWARDED.map(|name| {
            let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
            lines.collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_peer_and_host_are_appended() {
        let expected = ["9.9.9.9 192.0.2.7", "hub.example router:8000", "https", "for=9.9.9.9"];
        assert_eq!(forwarded("192.0.2.0/24"), expected);
    }

    #[test]
    fn what_any_other_client_says_about_itself_is_not_forwarded() {
        assert_eq!(forwarded("192.0.2.8"), ["192.0.2.7", "router:8000", "", ""]);
    }
}
