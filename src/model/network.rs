//! Networks: an address, or an address and how many of its bits count.

use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    /// Whether the address is one of these. An IPv4 address within an IPv6 one counts as the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= self.bits
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!(r#"must be an address or a network such as "10.0.0.0/8", found {text:?}"#);
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().map_err(|_| expected())?)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| expected())?;
        let all = if first.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        if bits > all {
            return Err(expected());
        }
        Ok(Self { first, bits })
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
    fn a_network_holds_what_begins_with_its_bits() {
        check("10.1.0.0/16", &["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"], &["10.2.0.0", "::10.1.2.3"]);
        check("127.0.0.1", &["127.0.0.1"], &["127.0.0.2", "::1"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
        check("2001:db8::/33", &["2001:db8:7fff::1"], &["2001:db8:8000::1", "10.0.0.1"]);
        check("::1", &["::1"], &["::2"]);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "proxy.internal", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
