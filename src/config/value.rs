//! Validates single values, whatever their source.

use std::net::SocketAddr;
use std::time::Duration;

use toml::Value;
use uuid::Uuid;

use crate::config::key::ValueKind;
use crate::config::values::{duration, web_address};
use crate::model::network::Network;

/// Validates a string. The error says what was expected and, unless the value is secret, what was found.
pub fn check_text(kind: ValueKind, text: &str) -> Result<(), String> {
    let wrong = |expected: &str| Err(format!("must be {expected}, found {text:?}"));
    match kind {
        ValueKind::Needed(_) | ValueKind::Secret | ValueKind::Path if text.trim().is_empty() => {
            Err("must not be empty".to_owned())
        }
        ValueKind::Needed(kind) => check_text(*kind, text),
        ValueKind::Text | ValueKind::Secret | ValueKind::Path => Ok(()),
        ValueKind::Id if Uuid::try_parse(text).is_ok() => Ok(()),
        ValueKind::Id => wrong("a UUID such as a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f"),
        ValueKind::Listen if is_listen(text) => Ok(()),
        ValueKind::Listen => wrong(r#"an address and a port such as "127.0.0.1:8080""#),
        ValueKind::Receiver => web_address::parse_receiver(text).map(drop),
        ValueKind::Base => web_address::parse_base(text).map(drop),
        ValueKind::Word(words) if words.contains(&text) => Ok(()),
        ValueKind::Word(words) => wrong(&format!("one of {}", words.join(", "))),
        ValueKind::Duration(min, max) => check_duration(min, max, text),
        ValueKind::Number(..) => wrong("a whole number without quotes"),
        ValueKind::Hosts if text.split(',').all(|host| text.is_empty() || is_host(host.trim())) => Ok(()),
        ValueKind::Hosts => wrong("names or addresses of hosts, without scheme and port"),
        ValueKind::Networks => text.split(',').filter(|_| !text.is_empty()).try_for_each(check_network),
        ValueKind::BasePath if is_base_path(text) => Ok(()),
        ValueKind::BasePath => wrong(r#"nothing, or a path such as "/kaiwa" of letters, digits and .-_~"#),
        ValueKind::Tables => wrong("tables"),
    }
}

/// Validates an integer.
pub fn check_number(kind: ValueKind, number: i64) -> Result<(), String> {
    let ValueKind::Number(min, max) = kind else {
        return Err(format!("{}, found a number", text_expected(kind)));
    };
    let fits = u64::try_from(number).is_ok_and(|number| (min..=max).contains(&number));
    fits.then_some(()).ok_or_else(|| format!("must be {min} to {max}, found {number}"))
}

/// What the file must contain for a key of this kind, for error messages.
pub fn text_expected(kind: ValueKind) -> String {
    match kind {
        ValueKind::Needed(kind) => text_expected(*kind),
        ValueKind::Duration(..) => r#"must be a duration in quotes such as "10s""#.to_owned(),
        ValueKind::Number(min, max) => format!("must be a whole number, {min} to {max}"),
        ValueKind::Hosts => r#"must be a list of hosts such as ["files.internal"]"#.to_owned(),
        ValueKind::Networks => r#"must be a list of networks such as ["10.0.0.0/8"]"#.to_owned(),
        _ => "must be text in quotes".to_owned(),
    }
}

/// Parses and validates the text of a variable or a flag.
pub fn from_text(kind: ValueKind, text: &str) -> Result<Value, String> {
    if matches!(kind, ValueKind::Number(..)) {
        let number = text.parse().map_err(|_| format!("{}, found {text:?}", text_expected(kind)))?;
        return check_number(kind, number).map(|()| Value::Integer(number));
    }
    check_text(kind, text)?;
    if is_list(kind) {
        let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
        return Ok(Value::Array(hosts.map(|host| Value::String(host.to_owned())).collect()));
    }
    Ok(Value::String(text.to_owned()))
}

/// Whether values of this kind are lists in the file.
pub fn is_list(kind: ValueKind) -> bool {
    matches!(kind, ValueKind::Hosts | ValueKind::Networks)
}

fn check_network(text: &str) -> Result<(), String> {
    text.trim().parse::<Network>().map(drop)
}

/// Whether all segments consist of characters that clients never escape.
fn is_base_path(text: &str) -> bool {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || ".-_~".contains(sign);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_plain);
    text.is_empty() || text.strip_prefix('/').is_some_and(|path| path.split('/').all(is_part))
}

/// Whether this is a host name or address as in a URL, without port.
fn is_host(text: &str) -> bool {
    url::Host::parse(text).is_ok() || text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn check_duration(min: Duration, max: Duration, text: &str) -> Result<(), String> {
    if (min..=max).contains(&duration::parse(text)?) {
        return Ok(());
    }
    let (min, max) = (humantime::format_duration(min), humantime::format_duration(max));
    Err(format!("must be {min} to {max}, found {text:?}"))
}

fn is_listen(text: &str) -> bool {
    let is_named = |(host, port): (&str, &str)| {
        !host.is_empty() && !host.contains([':', '/', ' ']) && port.parse::<u16>().is_ok()
    };
    text.parse::<SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(is_named)
}

#[cfg(test)]
mod tests {
    use crate::config::key;

    use super::*;

    #[track_caller]
    fn check(name: &str, accepted: &[&str], refused: &[&str]) {
        let kind = key::find(name).unwrap().kind;
        for text in accepted {
            assert!(from_text(kind, text).is_ok(), "{name} = {text:?}: {:?}", from_text(kind, text));
        }
        for text in refused {
            assert!(from_text(kind, text).is_err(), "{name} = {text:?} was accepted");
        }
    }

    #[test]
    fn numbers_are_accepted_within_their_limits() {
        check("workers", &["1", "64"], &["0", "65", "-1", "two", "1.5", "", "18446744073709551616"]);
        check("delivery.concurrency", &["1", "1024"], &["0", "1025"]);
        check("limits.body_bytes", &["1024", "16777216"], &["1023", "16777217"]);
    }

    #[test]
    fn durations_are_accepted_within_their_limits() {
        check("delivery.wait", &["0s", "60s", "1m"], &["60001ms", "2m", "10", "-1s", "soon", ""]);
        check("delivery.give_up_after", &["1ms", "23h"], &["0s", "23h 1s", "24h", "1d"]);
        check("limits.webhook_timeout", &["1ms", "1500ms", "1999ms"], &["0s", "2s"]);
    }

    #[test]
    fn a_listen_address_is_a_host_and_a_port() {
        check(
            "listen",
            &["127.0.0.1:8080", "[::1]:0", "0.0.0.0:80", "localhost:8080"],
            &["", "8080", ":8080", "127.0.0.1", "::1:8080", "localhost:65536", "http://localhost:80"],
        );
    }

    #[test]
    fn a_base_address_has_neither_query_nor_fragment_nor_password() {
        check(
            "public_url",
            &["https://chat.example.com", "http://localhost:8080/", "https://example.com/chat"],
            &[
                "",
                "chat.example.com",
                "ftp://example.com",
                "https://",
                "https://example.com/?a=b",
                "https://example.com/#top",
                "https://somebody:secret@example.com",
            ],
        );
    }

    #[test]
    fn hosts_are_comma_separated_names_or_addresses() {
        check(
            "limits.allowed_hosts",
            &["", "files.internal", "127.0.0.1", "::1, [::1]", "a.example,10.0.0.1"],
            &["http://files.internal", "files.internal:80", "a b", "a,,b"],
        );
        let hosts = from_text(ValueKind::Hosts, "files.internal, 127.0.0.1").unwrap();
        assert_eq!(hosts, Value::from(vec!["files.internal", "127.0.0.1"]));
    }

    #[test]
    fn networks_are_addresses_with_or_without_a_prefix_length() {
        check(
            "proxies.trusted",
            &["", "127.0.0.1", "10.0.0.0/8, ::1", "fd00::/8"],
            &["proxy.internal", "10.0.0.0/33", "10.0.0.0/8,,::1", "10.0.0.1:80"],
        );
    }

    #[test]
    fn a_base_path_starts_with_a_slash_and_does_not_end_with_one() {
        check(
            "base_path",
            &["", "/kaiwa", "/chat/line-2"],
            &["kaiwa", "/", "/kaiwa/", "//kaiwa", "/a b", "/a%20b", "/..", "/a?b"],
        );
    }

    #[test]
    fn words_are_case_sensitive() {
        check("log.level", &["error", "warn", "info", "debug", "trace"], &["", "INFO", "verbose"]);
        check("log.format", &["text", "json"], &["xml"]);
    }

    #[test]
    fn an_error_says_what_was_expected_and_what_was_found() {
        let kind = key::find("delivery.wait").unwrap().kind;

        assert_eq!(from_text(kind, "61s"), Err(r#"must be 0s to 1m, found "61s""#.to_owned()));
    }
}
