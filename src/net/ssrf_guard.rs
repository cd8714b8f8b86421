//! The SSRF guard: which addresses may be connected to if a third party chose them. Nothing within our own
//! network may.
//!
//! Names are checked when they are resolved for the connection, so that a name cannot change its address
//! between check and use. Literal addresses in a URL are never resolved, and are checked beforehand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use url::{Host, Url};

use crate::model::chats::address::{is_plain, receiver_fault};

/// The addresses that may be connected to. Clones share the list.
#[derive(Debug, Clone)]
pub struct SsrfGuard {
    allowed: Arc<[String]>,
}

impl SsrfGuard {
    /// A guard that also allows these hosts, whatever their address is, and without TLS.
    pub fn new(allowed: &[String]) -> Self {
        let normalized = |host: &String| normalized(host);
        Self { allowed: allowed.iter().map(normalized).collect() }
    }

    /// Parses a URL that may be requested; otherwise returns the reason, for people.
    pub fn check(&self, text: &str) -> Result<Url, &'static str> {
        if !is_plain(text) {
            return Err(
                "a URL must not contain line ends, tabs or other control characters, nor start or end with spaces",
            );
        }
        let url = Url::parse(text).map_err(|_| "invalid URL")?;
        let host = url.host().ok_or("the URL has no host")?;
        let is_allowed = self.allows_host(&host.to_string());
        match url.scheme() {
            "https" => {}
            "http" if is_allowed => {}
            _ => return Err(NOT_HTTPS),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a URL must not contain a user name or a password");
        }
        let is_public = match host {
            Host::Ipv4(address) => is_public(address.into()),
            Host::Ipv6(address) => is_public(address.into()),
            Host::Domain(_) => true,
        };
        if is_public || is_allowed { Ok(url) } else { Err(NOT_PUBLIC) }
    }

    /// Checks the URL of a customer's webhook, where an empty one means no webhook; otherwise returns the
    /// reason, for people.
    pub fn check_receiver(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        self.check(text)?;
        receiver_fault(text).map_or(Ok(()), Err)
    }

    /// Whether this address of a host may be connected to.
    pub fn allows_address(&self, host: &str, address: IpAddr) -> bool {
        is_public(address) || self.allows_host(host)
    }

    fn allows_host(&self, host: &str) -> bool {
        let host = normalized(host);
        self.allowed.contains(&host)
    }
}

/// The error for an address within our own network.
pub const NOT_PUBLIC: &str =
    "this address is not a public one; the key limits.allowed_hosts of the configuration lets its host pass";

/// The error for a URL without TLS.
const NOT_HTTPS: &str = "only https addresses may be asked for; the key limits.allowed_hosts of the configuration lets hosts pass \
                         that have http alone";

/// A host in the form in which hosts are compared: lower case, without brackets and without the final dot.
fn normalized(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Refuses all of IANA's special-purpose registry for IPv4.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match (first, second, third) {
        // This network, private, loopback, and from 224 on multicast and reserved addresses.
        (0 | 10 | 127 | 224.., ..)
        // Carrier-grade NAT.
        | (100, 64..=127, _)
        // Link-local, where clouds have their metadata service.
        | (169, 254, _)
        | (172, 16..=31, _)
        // Protocol assignments, documentation, the 6to4 relay, AS112.
        | (192, 0, 0 | 2)
        | (192, 31, 196)
        | (192, 52, 193)
        | (192, 88, 99)
        | (192, 175, 48)
        | (192, 168, _)
        // Benchmarks and documentation.
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => true,
        _ => false,
    };
    // Azure's metadata service has a public address.
    !is_special && address.octets() != [168, 63, 129, 16]
}

/// Allows global unicast only, without the ranges that embed an IPv4 address or local ones: mapped addresses
/// and NAT64 (RFC 6052) are outside of global unicast; Teredo and other protocols, documentation and 6to4 are
/// within it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let is_special =
        matches!(segments, [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..]);
    !is_special && segments[0] & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chats::address::RECEIVER_BYTES_MAX;

    fn guard(allowed: &[&str]) -> SsrfGuard {
        SsrfGuard::new(&allowed.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn public_addresses_are_allowed() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::200e",
            "2001:4860:4860::8888",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn special_purpose_addresses_are_refused() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "168.63.129.16",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn refused_addresses_are_recognized_in_any_notation() {
        for url in [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://0/",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://127。0。0。1/",
            "https://１２７.0.0.1/",
            "https://169.254.169.254/latest/meta-data/",
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "https://user@example.com/",
            "https://user:password@example.com/",
            "https://",
            "//example.com",
            "",
            "javascript:alert(1)",
            "https://1.1.1.1@127.0.0.1/",
            "https://example.com/a\r\nb",
            "https://exam\tple.com/",
            "\nhttps://example.com/",
            "https://example.com/ ",
            "https://example.com/\u{7f}",
        ] {
            assert!(guard(&[]).check(url).is_err(), "{url}");
        }
        for url in ["https://example.com/a.jpg", "https://1.1.1.1/", "https://example.com:8443/#@127.0.0.1"] {
            assert!(guard(&[]).check(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_receiver_is_empty_or_an_allowed_url_that_is_not_too_long() {
        let guard = guard(&[]);
        let long = |count: usize| format!("https://example.com/{}", "x".repeat(count - 20));

        assert_eq!(guard.check_receiver(""), Ok(()));
        assert_eq!(guard.check_receiver(&long(RECEIVER_BYTES_MAX)), Ok(()));
        for refused in [
            &long(RECEIVER_BYTES_MAX + 1),
            "https://10.0.0.1/",
            "http://example.com/",
            "https://user@example.com/",
            "https:///example.com",
            "https://example.com:0/",
            " ",
        ] {
            assert!(guard.check_receiver(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn an_allowed_host_passes_whatever_its_address_and_no_other_does() {
        let guard = guard(&["127.0.0.1", "Files.Internal", "[::1]"]);

        for url in [
            "http://127.0.0.1:9000/a",
            "https://files.internal/a",
            "http://files.internal./a",
            "http://[::1]/",
        ] {
            assert!(guard.check(url).is_ok(), "{url}");
        }
        assert!(guard.check("http://127.0.0.2/").is_err());
        assert!(guard.check("http://evil.files.internal/").is_err());
        assert!(guard.allows_address("files.internal", "10.0.0.1".parse().unwrap()));
        assert!(!guard.allows_address("example.com", "10.0.0.1".parse().unwrap()));
        assert!(guard.allows_address("example.com", "1.1.1.1".parse().unwrap()));
    }
}
