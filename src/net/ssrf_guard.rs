//! Which addresses may be spoken to when somebody else chose them: nothing within our own network.
//!
//! Names are judged when they are resolved for the connection, so that a name cannot change its meaning between the
//! judgement and its use. Addresses that stand in a URL as numbers are never resolved, and are judged before.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use url::{Host, Url};

use crate::model::chats::address::{is_plain, receiver_fault};

/// What may be spoken to. Copies share the list.
#[derive(Debug, Clone)]
pub struct SsrfGuard {
    allowed: Arc<[String]>,
}

impl SsrfGuard {
    /// A guard that lets these hosts pass whatever their address is, also without TLS.
    pub fn new(allowed: &[String]) -> Self {
        let plain = |host: &String| plain(host);
        Self { allowed: allowed.iter().map(plain).collect() }
    }

    /// The address that this text names, if it may be asked for; else the reason, for a person.
    pub fn check(&self, text: &str) -> Result<Url, &'static str> {
        if !is_plain(text) {
            return Err(
                "an address may not contain line ends, tabs or other control characters, nor spaces at its ends",
            );
        }
        let url = Url::parse(text).map_err(|_| "this is no web address")?;
        let host = url.host().ok_or("this address has no host")?;
        let is_allowed = self.allows(&host.to_string());
        match url.scheme() {
            "https" => {}
            "http" if is_allowed => {}
            _ => return Err(NOT_HTTPS),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address may not contain a user name or a password");
        }
        let is_public = match host {
            Host::Ipv4(address) => is_public(address.into()),
            Host::Ipv6(address) => is_public(address.into()),
            Host::Domain(_) => true,
        };
        if is_public || is_allowed { Ok(url) } else { Err(NOT_PUBLIC) }
    }

    /// Whether a customer may be told at this address, which stands for nowhere when it is empty; else the reason, for a
    /// person.
    pub fn check_receiver(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        self.check(text)?;
        receiver_fault(text).map_or(Ok(()), Err)
    }

    /// Of the addresses of a host those that may be connected to.
    pub fn passes(&self, host: &str, address: IpAddr) -> bool {
        is_public(address) || self.allows(host)
    }

    fn allows(&self, host: &str) -> bool {
        let host = plain(host);
        self.allowed.contains(&host)
    }
}

/// What is said about an address within our own network.
pub const NOT_PUBLIC: &str =
    "this address is not a public one; the key limits.allowed_hosts of the configuration lets its host pass";

/// What is said about an address without TLS.
const NOT_HTTPS: &str = "only https addresses may be asked for; the key limits.allowed_hosts of the configuration lets hosts pass \
                         that have http alone";

/// A host as it is compared: without brackets, without the dot of the root, in small letters.
fn plain(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// Whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// All of IANA's special-purpose registry for IPv4 is refused.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = match (first, second, third) {
        // This network, private ones, loopback, and from 224 on multicast and what is reserved.
        (0 | 10 | 127 | 224.., ..)
        // Carrier-grade NAT.
        | (100, 64..=127, _)
        // Link-local, where clouds keep their metadata.
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
    // Azure's metadata stands at a public address.
    !is_special && address.octets() != [168, 63, 129, 16]
}

/// Only global unicast, without the ranges in which an IPv4 address or something local is hidden: mapped addresses and
/// NAT64 (RFC 6052) are outside of it, Teredo and other protocols, documentation and 6to4 are within.
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
    fn addresses_of_the_public_internet_pass() {
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
    fn addresses_within_a_network_do_not_pass() {
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
    fn an_address_may_be_written_in_many_ways() {
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
    fn a_receiver_is_nowhere_or_at_an_address_that_may_be_asked_and_is_not_too_long() {
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
    fn a_named_host_passes_wherever_it_is_and_no_other_does() {
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
        assert!(guard.passes("files.internal", "10.0.0.1".parse().unwrap()));
        assert!(!guard.passes("example.com", "10.0.0.1".parse().unwrap()));
        assert!(guard.passes("example.com", "1.1.1.1".parse().unwrap()));
    }
}
