//! Web addresses as people and programs write them.

use url::Url;

/// The longest address at which somebody is told, in bytes.
pub const RECEIVER_BYTES_MAX: usize = 2_048;

/// Whether an address is what it looks like: whoever reads one takes out line ends and tabs, and spaces and controls at its
/// ends (WHATWG URL, 4.4), so that another one would be asked than the one that is stored and shown.
pub fn is_plain(address: &str) -> bool {
    address.trim() == address && !address.contains(char::is_control)
}

/// Why nobody can be told at this address, whoever has chosen it; nothing where it is a whole one: what is asked is what stands
/// there. Whoever reads addresses makes one of `https:example.com` and of `https:///example.com` too, and of a port 0 any port.
pub fn receiver_fault(address: &str) -> Option<String> {
    if address.len() > RECEIVER_BYTES_MAX {
        return Some(format!("it may have at most {RECEIVER_BYTES_MAX} bytes"));
    }
    let fault =
        if !is_plain(address) || address.contains([' ', '\\']) || address.contains(char::is_whitespace) {
            "it may contain neither spaces nor control characters nor backslashes"
        } else if !names_host(address) {
            "it has to begin with http:// or https:// and a host"
        } else if address.contains('#') {
            "it may have no fragment (#)"
        } else if Url::parse(address).is_ok_and(|url| url.port() == Some(0)) {
            "its port may not be 0"
        } else {
            return None;
        };
    Some(fault.to_owned())
}

fn names_host(address: &str) -> bool {
    address.split_once("://").is_some_and(|(scheme, rest)| {
        let is_web = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        is_web && rest.starts_with(|first| !matches!(first, '/' | '?' | '#' | ':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_told_at_a_whole_address_only() {
        for address in [
            "https://example.com",
            "HTTPS://example.com/a?b=c://d",
            "http://127.0.0.1:8080/",
            "https://[::1]:8443/kaiwa",
            "https://例え.jp/%20",
        ] {
            assert_eq!(receiver_fault(address), None, "{address}");
        }
        for address in [
            "",
            "example.com",
            "//example.com/",
            "https:///example.com",
            "https:example.com",
            "https:/example.com/://x",
            "https:\\\\example.com",
            "https://example.com\\@127.0.0.1/",
            "https://",
            "https://:80/",
            "https://?a",
            "https://#a",
            "ftp://example.com/",
            "https://example.com:0/",
            "https://example.com:000",
            "https://example.com/#a",
            "https://example.com/?a#",
            "https://example.com/a b",
            "https://exa mple.com/",
            "https://example.com/\u{3000}a",
            "https://example.com/\ta",
            &format!("https://example.com/{}", "x".repeat(RECEIVER_BYTES_MAX)),
        ] {
            assert!(receiver_fault(address).is_some(), "{address:?}");
        }
    }

    #[test]
    fn nothing_may_be_hidden_in_an_address() {
        for address in ["https://example.com/a b", "https://example.com/%0A", "", "https://例え.jp/"] {
            assert!(is_plain(address), "{address:?}");
        }
        for hidden in ["\n", "\r", "\t", "\r\n", "\0", "\u{1}", "\u{7f}", "\u{85}", "\u{1f}"] {
            for address in [
                format!("https://a{hidden}.example/"),
                format!("{hidden}https://a"),
                format!("https://a/{hidden}"),
            ] {
                assert!(!is_plain(&address), "{address:?}");
            }
        }
        for address in [" https://a", "https://a ", "https://a/\u{3000}"] {
            assert!(!is_plain(address), "{address:?}");
        }
    }
}
