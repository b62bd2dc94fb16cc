//! Headers of forwarded requests and responses: hop-by-hop headers, `X-Forwarded-For` and
//! `X-Forwarded-Host`.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use messenger_runtime::limits::Peer;

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

/// Appends the address of the router's peer to `X-Forwarded-For`. A function that trusts the router reads
/// this entry, and those before it only if it trusts this address, too.
pub(crate) fn forward_for(extensions: &Extensions, headers: &mut HeaderMap) {
    let peer = extensions.get::<Peer>().map(|Peer(peer): &Peer| peer.to_string());
    if let Some(peer) = peer.and_then(|peer| HeaderValue::try_from(peer).ok()) {
        headers.append("x-forwarded-for", peer);
    }
}

/// Appends `Host`, which becomes that of the upstream, to `X-Forwarded-Host`: a function that trusts the router
/// compares it with the origin of a page.
pub(crate) fn forward_host(headers: &mut HeaderMap) {
    if let Some(host) = headers.remove(header::HOST) {
        headers.append("x-forwarded-host", host);
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

    #[test]
    fn the_peer_is_appended_to_the_entries_of_the_client() {
        let (mut extensions, mut headers) = (Extensions::new(), HeaderMap::new());
        headers.append("x-forwarded-for", HeaderValue::from_static("9.9.9.9"));
        extensions.insert(Peer(IpAddr::from([192, 0, 2, 7])));
        forward_for(&extensions, &mut headers);
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        assert_eq!(lines, ["9.9.9.9", "192.0.2.7"]);
    }

    #[test]
    fn the_host_is_appended_to_that_of_a_proxy() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-host", HeaderValue::from_static("hub.example"));
        headers.append("host", HeaderValue::from_static("router:8000"));
        forward_host(&mut headers);
        let lines: Vec<_> = headers.get_all("x-forwarded-host").iter().collect();
        assert_eq!(lines, ["hub.example", "router:8000"]);
        assert!(!headers.contains_key("host"));
    }
}
