//! Networks that the configuration names: an address, or an address and a prefix length.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// All addresses with a common prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether the address is in the network. An IPv4-mapped IPv6 address counts as its IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        let network = text.parse().or_else(|_| single());
        network
            .map(Self)
            .map_err(|_| format!(r#"must be an address or a network such as "10.0.0.0/8", found {text:?}"#))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: &str, inside: &[&str], outside: &[&str]) {
        let network: Network = network.parse().unwrap();
        let contains = |address: &&str| network.contains(address.parse().unwrap());

        assert_eq!(inside.iter().filter(|address| !contains(address)).collect::<Vec<_>>(), [&""; 0]);
        assert_eq!(outside.iter().filter(|address| contains(address)).collect::<Vec<_>>(), [&""; 0]);
    }

    #[test]
    fn a_network_contains_the_addresses_with_its_prefix() {
        check("10.1.0.0/16", &["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"], &["10.2.0.0", "::10.1.2.3"]);
        check("127.0.0.1", &["127.0.0.1"], &["127.0.0.2", "::1"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("2001:db8::/33", &["2001:db8:7fff::1"], &["2001:db8:8000::1", "10.0.0.1"]);
        check("::1", &["::1"], &["::2"]);
    }

    #[test]
    fn an_invalid_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "proxy.internal", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
