//! Checks of URLs that people and programs provide.

use url::Url;

/// Maximum length of a webhook URL, in bytes.
pub const RECEIVER_BYTES_MAX: usize = 2_048;

/// Whether a URL is what it looks like. URL parsers remove line ends and tabs, and spaces and control
/// characters at its ends (WHATWG URL, 4.4), so that another URL would be requested than the one that is
/// stored and shown.
pub fn is_plain(address: &str) -> bool {
    address.trim() == address && !address.contains(char::is_control)
}

/// The reason why this URL cannot be a webhook URL; `None` if it can. It must be written in full, so that
/// exactly this URL is requested: URL parsers also accept `https:example.com` and `https:///example.com`, and
/// take port 0 for any port.
pub fn receiver_fault(address: &str) -> Option<String> {
    if address.len() > RECEIVER_BYTES_MAX {
        return Some(format!("it must have at most {RECEIVER_BYTES_MAX} bytes"));
    }
    let fault =
        if !is_plain(address) || address.contains([' ', '\\']) || address.contains(char::is_whitespace) {
            "it must not contain spaces, control characters or backslashes"
        } else if !has_host(address) {
            "it must start with http:// or https:// and a host"
        } else if address.contains('#') {
            "it must not have a fragment (#)"
        } else if Url::parse(address).is_ok_and(|url| url.port() == Some(0)) {
            "its port must not be 0"
        } else {
            return None;
        };
    Some(fault.to_owned())
}

fn has_host(address: &str) -> bool {
    address.split_once("://").is_some_and(|(scheme, rest)| {
        let is_web = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        is_web && rest.starts_with(|first| !matches!(first, '/' | '?' | '#' | ':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_url_must_be_complete() {
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
    fn a_plain_url_hides_no_control_characters() {
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
