//! Web addresses as people and programs write them.

/// Whether an address is what it looks like: whoever reads one takes out line ends and tabs, and spaces and controls at its
/// ends (WHATWG URL, 4.4), so that another one would be asked than the one that is stored and shown.
pub fn is_plain(address: &str) -> bool {
    address.trim() == address && !address.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

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
