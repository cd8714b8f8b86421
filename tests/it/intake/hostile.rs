//! Hostile input: thirteen readers of foreign input, each with a property that holds for all input.
//!
//! `PROPTEST_CASES` sets the number of inputs for each; see docs/RELIABILITY.md, G12.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use actix_web::http::header::{HeaderMap, HeaderValue, IF_RANGE, RANGE};
use actix_web::test::TestRequest;
use kaiwa::api::events::feed;
use kaiwa::api::files::{medias, range};
use kaiwa::api::request::{idempotency_key, query};
use kaiwa::line::outcome::LineResponse;
use kaiwa::line::webhook::received_message;
use kaiwa::line::{signature, webhook};
use kaiwa::model::accounts::customer::ProfileChange;
use kaiwa::model::delivery::PushOutcome;
use kaiwa::model::files::content;
use kaiwa::model::id::{CustomerId, EventId};
use kaiwa::model::page::Page;
use kaiwa::model::secret::Secret;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::model::webhooks::event::{EventKind, EventRow};
use kaiwa::net::ssrf_guard::SsrfGuard;
use kaiwa::runtime::bearer::{Bearer, Verifier, sign};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_microseconds(1_655_445_974_446_158);
const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Prefixes of IPv6 addresses that embed an IPv4 address, and ranges that are not public.
const NEAR: [u128; 7] =
    [0, 1, 0xffff_0000_0000, 0xfe80 << 112, 0xfc00 << 112, 0x2002 << 112, 0x64_ff9b << 96];

/// The first bytes of files that a browser, a viewer or a shell could run.
const RUNNABLE: [&str; 11] = [
    "<",
    "<!DOCTYPE html>",
    "<svg",
    "<?xml",
    "<script>",
    "\u{feff}<html",
    "%PDF-",
    "#!",
    "MZ",
    "PK\u{3}\u{4}",
    "{",
];

/// Bytes, some of which look like a known format.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), "\\PC{0,80}".prop_map(String::into_bytes)]
}

/// JSON of every shape, with the keys of webhooks.
fn any_json() -> impl Strategy<Value = Value> {
    let word =
        "type|message|source|user|userId|events|destination|timestamp|id|text|replyToken|unsend|[a-z]{0,5}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(word, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The fields of an event as a client of server-sent events reads them (WHATWG HTML, 9.2.6).
fn read_events(stream: &str) -> Vec<Vec<(String, String)>> {
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    let events = lines.split("\n\n").filter(|event| !event.is_empty());
    let field = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned())
    };
    events.map(|event| event.lines().map(field).collect()).collect()
}

/// Whether an address is not public, according to the standard library and the registries.
fn is_inner(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.octets()[0] == 0
                || v4.octets()[0] >= 240
                || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.to_ipv4().is_some()
        }
    }
}

proptest! {
    #[test]
    fn a_webhook_is_read_event_by_event_or_refused(body in any_json(), junk in bytes()) {
        let expected = body.get("events").and_then(Value::as_array).map(Vec::len);

        let read = webhook::parse(body.to_string().as_bytes()).ok().map(|webhook| webhook.events.len());

        prop_assert_eq!(read, expected);
        drop(webhook::parse(&junk));
        drop(webhook::event::parse_event(&String::from_utf8_lossy(&junk)));
        drop(received_message::message(&body));
    }

    #[test]
    fn no_signature_fits_but_the_one(
        body in bytes(),
        other in bytes(),
        at in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let secret = Secret::new(KEY);
        let right = signature::sign(&secret, &body);
        let mut changed = right.clone().into_bytes();
        changed[at.index(right.len())] ^= 1_u8 << bit;

        prop_assert!(signature::verify(&secret, &body, right.as_bytes()));
        prop_assert!(!signature::verify(&secret, &body, &changed));
        prop_assert!(!signature::verify(&secret, &body, &other));
        prop_assert_eq!(signature::verify(&secret, &other, right.as_bytes()), other == body);
    }

    #[test]
    fn no_token_holds_but_the_one(
        junk in "\\PC{0,80}",
        parts in prop::collection::vec("[A-Za-z0-9_-]{0,60}", 0..5),
        at in any::<prop::sample::Index>(),
        sign_ in "[A-Za-z0-9_.=-]",
    ) {
        let verifier = Verifier::new(&Secret::new(KEY));
        let bearer = Bearer { customer: CustomerId::new(NOW), profile: ProfileChange::default() };
        let right = sign(&Secret::new(KEY), &bearer, NOW, std::time::Duration::from_mins(1)).unwrap();
        let place = at.index(right.len());
        let changed = format!("{}{sign_}{}", &right[..place], &right[place + 1..]);

        prop_assert!(verifier.verify(&junk, NOW).is_err());
        prop_assert!(verifier.verify(&parts.join("."), NOW).is_err());
        prop_assert_eq!(verifier.verify(&right, NOW).unwrap().bearer, bearer);
        prop_assert!(changed == right || verifier.verify(&changed, NOW).is_err());
    }

    #[test]
    fn a_page_token_is_a_time_as_it_is_written_or_refused(
        junk in "\\PC{0,40}",
        digits in "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T+][0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6,7}",
    ) {
        for token in [junk, digits] {
            if let Ok(page) = Page::parse(None, Some(&token)) {
                prop_assert!(token.is_empty() || page.before.to_string() == token);
            }
        }
    }

    #[test]
    fn a_query_is_read_however_it_is_written(query in "[!-~&&[^#]]{0,80}", size in "\\PC{0,30}") {
        let uri = format!("/v1.0/conversations?{query}");
        if uri.parse::<actix_web::http::Uri>().is_ok() {
            let request = TestRequest::with_uri(&uri).to_http_request();
            if let Ok(page) = query::page(&request) {
                prop_assert!((1..=Page::SIZE_MAX).contains(&page.size));
            }
            drop(query::parameter(&request, "token"));
        }
        if let Ok(page) = Page::parse(Some(&size), None) {
            prop_assert!((1..=Page::SIZE_MAX).contains(&page.size));
            prop_assert!(size.bytes().all(|byte| byte.is_ascii_digit()));
        }
    }

    #[test]
    fn an_idempotency_key_is_printable_and_short(
        key in prop_oneof![bytes(), "[ -~]{0,300}".prop_map(String::into_bytes)],
    ) {
        let text = std::str::from_utf8(&key).ok();
        let is_printable = text.is_some_and(|text| text.chars().all(|sign| (' '..='~').contains(&sign)));

        prop_assert_eq!(idempotency_key::is_key(&key), is_printable && !key.is_empty() && key.len() < 256);
    }

    #[test]
    fn an_answer_of_line_leads_to_what_its_status_says(
        status in 200_u16..=599,
        junk in bytes(),
        body in any_json(),
        accepted in any::<bool>(),
    ) {
        for body in [junk, body.to_string().into_bytes()] {
            let accepted_request_id = accepted.then(|| "id".to_owned());
            let response = LineResponse { status, request_id: None, accepted_request_id, body: body.into() };
            let is_accepted = (200..300).contains(&status) || (status == 409 && accepted);

            prop_assert_eq!(matches!(response.outcome(), PushOutcome::Accepted(_)), is_accepted);
            let is_unclear = status >= 500 || (status == 409 && !accepted);
            prop_assert_eq!(matches!(response.outcome(), PushOutcome::Ambiguous { .. }), is_unclear);
            prop_assert!(response.message().len() <= 1_024);
            drop((response.reply_outcome(), response.is_unknown_limit()));
        }
    }

    #[test]
    fn an_address_that_may_be_called_is_one_of_the_internet(
        v4 in any::<u32>(),
        v6 in any::<u128>(),
        near in prop::sample::select(NEAR.to_vec()),
        junk in "\\PC{0,60}",
        host in "[0-9a-fx.%\\[\\]:@]{1,40}",
    ) {
        let guard = SsrfGuard::new(&[]);
        let hidden = Ipv6Addr::from_bits(near | u128::from(v4));
        let addresses: [IpAddr; 3] =
            [Ipv4Addr::from_bits(v4).into(), Ipv6Addr::from_bits(v6).into(), hidden.into()];
        for address in addresses {
            prop_assert!(!(is_inner(address) && guard.allows_address("name.example", address)), "{}", address);
        }
        let hosts = [v4.to_string(), format!("{v4:#x}"), format!("[{hidden}]"), host, junk.clone()];
        for text in hosts.iter().map(|host| format!("https://{host}/a")).chain([junk]) {
            let Ok(url) = guard.check(&text) else { continue };
            prop_assert!(url.scheme() == "https" && url.username().is_empty() && url.password().is_none());
            let number = match url.host().unwrap() {
                url::Host::Ipv4(address) => Some(IpAddr::V4(address)),
                url::Host::Ipv6(address) => Some(IpAddr::V6(address)),
                url::Host::Domain(_) => None,
            };
            prop_assert!(!number.is_some_and(is_inner), "{}", text);
        }
    }

    #[test]
    fn a_file_name_is_one_value_of_a_header(
        name in "\\PC{0,40}|[\\x00-\\x7f]{0,40}|[./\\\\\"\r\n\u{202e}%;a]{0,40}",
    ) {
        for name in [name.clone(), received_message::filename(&name)] {
            let header = medias::disposition("inline", &name);

            prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", header);
            prop_assert_eq!(header.matches('"').count(), 2);
            prop_assert_eq!(header.matches(';').count(), 2);
            let (_, encoded) = header.split_once("filename*=UTF-8''").unwrap();
            let breaking = ["%2F", "%5C", "%0D", "%0A", "%00"];
            prop_assert!(!breaking.iter().any(|sign| encoded.contains(sign)), "{}", header);
        }
    }

    #[test]
    fn nothing_that_a_browser_could_run_is_shown_in_place(
        start in prop::sample::select(RUNNABLE.to_vec()),
        space in "[ \t\r\n]{0,8}",
        junk in bytes(),
    ) {
        let head = [space.as_bytes(), start.as_bytes(), &junk].concat();

        prop_assert!(!content::is_inline(content::sniff(&head)), "{:?}", head);
        let found = content::sniff(&junk);
        prop_assert!(!["html", "xml", "svg", "script"].iter().any(|word| found.contains(word)));
        prop_assert!(content::ending(found).bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }

    #[test]
    fn one_event_in_is_one_event_out(
        text in "\\PC{0,40}|[\\x00-\\x1f\u{2028}\u{2029}\u{85}:a]{0,40}",
        sequence in 0..i64::MAX,
    ) {
        let data = json!({ "text": text }).to_string();
        let (id, kind) = (EventId::new(NOW), EventKind::MessageCreated);
        let event = EventRow { sequence, id, kind, created_at: NOW, data: &data };
        let mut stream = String::new();
        feed::write_event(&mut stream, &event);
        feed::write_event(&mut stream, &event);

        let read = read_events(&stream);

        prop_assert_eq!(read.len(), 2);
        let names: Vec<&str> = read[0].iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(names, ["id", "event", "data"]);
        prop_assert_eq!(&read[0][0].1, &sequence.to_string());
        let body: Value = serde_json::from_str(&read[0][2].1).unwrap();
        prop_assert_eq!(&body["data"]["text"], &json!(text));
    }

    #[test]
    fn a_secret_shows_in_no_print(secret in "[!-~]{9,60}") {
        let wrapped = Secret::new(secret.clone());
        let prints = [format!("{wrapped:?}"), format!("{wrapped:#?}"), format!("{:?}", Some(vec![wrapped.clone()]))];

        for print in prints {
            prop_assert!(!print.contains(&secret) && print.contains("[secret]"), "{}", print);
        }
        prop_assert_eq!(wrapped.expose(), secret);
    }

    #[test]
    fn a_range_lies_within_its_file(
        range in "\\PC{0,30}|(bytes|BYTES) ?= ?[0-9]{0,22} ?- ?[0-9]{0,22}(, ?[0-9-]{0,9})?",
        size in prop_oneof![0..200_u64, any::<u64>()],
        tag in "\\PC{0,10}|\"abc\"",
    ) {
        let given = [(RANGE, &range), (IF_RANGE, &tag)].into_iter();
        let headers: HeaderMap =
            given.filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?))).collect();

        if let range::Selection::Part { start, length } = range::select(&headers, "\"abc\"", size) {
            prop_assert!(length >= 1 && start.checked_add(length).is_some_and(|end| end <= size));
            prop_assert!(tag.trim() == "\"abc\"" || !headers.contains_key(IF_RANGE));
        }
    }
}
