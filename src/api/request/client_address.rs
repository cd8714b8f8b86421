//! The client's address when proxies stand in between. Anyone can write `X-Forwarded-For`: it is believed only
//! as far as trusted proxies wrote it.

use std::net::{IpAddr, SocketAddr};

use actix_web::dev::ServiceRequest;

use crate::model::network::Network;

/// The header to which each proxy appends the address it received the request from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address, stored in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub Option<IpAddr>);

/// The client's address, looking past the trusted proxies.
pub fn address(request: &ServiceRequest, trusted: &[Network]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let headers = request.headers().get_all(FORWARDED_FOR);
    let lines: Vec<_> = headers.map(|line| line.to_str().unwrap_or_default()).collect();
    Some(past_proxies(peer, &lines, trusted))
}

/// The nearest address that is not a trusted proxy's. An unreadable entry ends the search: no trusted proxy
/// wrote it.
fn past_proxies(peer: IpAddr, forwarded_for: &[&str], trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer;
    // Each proxy appends at the end, and a repeated header continues the previous one.
    for entry in forwarded_for.iter().rev().flat_map(|line| line.rsplit(',')) {
        match parse(entry.trim()) {
            Some(before) if is_trusted(nearest) => nearest = before,
            _ => break,
        }
    }
    nearest
}

/// Parses an address; some proxies add a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let with_port = || entry.parse::<SocketAddr>().map(|address| address.ip());
    let in_brackets = || entry.trim_matches(['[', ']']).parse::<IpAddr>();
    entry.parse().or_else(|_| with_port()).or_else(|_| in_brackets()).ok().map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(peer: &str, forwarded_for: &[&str], expected: &str) {
        let trusted = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());

        let found = past_proxies(peer.parse().unwrap(), forwarded_for, &trusted);

        assert_eq!(found.to_string(), expected, "{peer} {forwarded_for:?}");
    }

    #[test]
    fn only_entries_of_trusted_proxies_count() {
        check("192.0.2.7", &["203.0.113.9"], "192.0.2.7");
        check("127.0.0.1", &[], "127.0.0.1");
        check("127.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check("127.0.0.1", &["8.8.8.8, 203.0.113.9"], "203.0.113.9");
        check("127.0.0.1", &["8.8.8.8", "203.0.113.9,10.1.1.1"], "203.0.113.9");
        check("10.0.0.1", &["8.8.8.8, 10.0.0.2"], "8.8.8.8");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
    }

    #[test]
    fn malformed_entries_end_the_search_and_ports_are_ignored() {
        check("127.0.0.1", &["203.0.113.9, unknown"], "127.0.0.1");
        check("127.0.0.1", &["203.0.113.9:4711"], "203.0.113.9");
        check("127.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1");
        check("127.0.0.1", &["[2001:db8::1]"], "2001:db8::1");
        check("127.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9");
        check("127.0.0.1", &[""], "127.0.0.1");
    }
}
