//! Parsing webhooks, both as LINE sends them and malformed ones.

use crate::line::webhook::event::parse_event;
use crate::line::webhook::parse;
use crate::model::chats::chat::{ChatKind, LineId};
use crate::model::chats::inbound::{InboundChange, InboundEvent, ReceivedMessage};

const USER: &str = "Ud871bcaf7c3ad13d2a0b0d78a42a287f";

fn only(event: &str) -> InboundEvent {
    let body = format!(r#"{{"destination":"U0","events":[{event}]}}"#);
    parse(body.as_bytes()).unwrap().events.remove(0)
}

#[track_caller]
fn check(kind: &str, expected: &InboundChange) {
    let event = only(&format!(r#"{{{kind},"webhookEventId":"01","timestamp":1655445974446}}"#));

    assert_eq!(&event.change, expected, "{kind}");
}

#[test]
fn a_text_message_of_a_user_is_parsed() {
    let event = only(&format!(
        r#"{{"type":"message","mode":"active","timestamp":1655445974446,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR",
            "source":{{"type":"user","userId":"{USER}"}},"replyToken":"r","deliveryContext":{{"isRedelivery":false}},
            "message":{{"id":"468789","type":"text","text":"hi \ud83d\ude00","quoteToken":"q"}}}}"#
    ));

    assert_eq!(event.id, "01FZ74A0TDDPYRVKNK77XKC3ZR");
    let InboundChange::Received(message) = event.change else { panic!("it is not a message") };
    assert_eq!((message.text.as_str(), message.quote_token.as_deref()), ("hi 😀", Some("q")));
    assert_eq!(event.reply_token.as_deref(), Some("r"));
    assert_eq!(event.message_id.as_deref(), Some("468789"));
    assert_eq!(event.occurred_at.unwrap().to_string(), "2022-06-17 06:06:14.446000");
    assert_eq!(event.chat.unwrap().id.as_str(), USER);
    assert_eq!(event.speaker.unwrap().as_str(), USER);
    assert!(event.body.contains(r"\ud83d"), "the body is stored as it arrived");
}

#[test]
fn each_known_kind_has_its_change_and_any_other_is_unread() {
    check(r#""type":"follow""#, &InboundChange::Follow);
    check(r#""type":"unfollow""#, &InboundChange::Unfollow);
    check(r#""type":"join""#, &InboundChange::Join);
    check(r#""type":"leave""#, &InboundChange::Leave);
    check(r#""type":"unsend","unsend":{"messageId":"1"}"#, &InboundChange::Unsend);
    check(r#""type":"unsend""#, &InboundChange::Unread);
    check(r#""type":"message","message":{"type":"hologram","id":"1"}"#, &InboundChange::Unread);
    check(r#""type":"message","message":"?""#, &InboundChange::Unread);
    check(r#""type":"beacon""#, &InboundChange::Noted);
    check(r#""type":"membership""#, &InboundChange::Noted);
    let joined = InboundChange::MembersJoined(vec![LineId::parse(USER).unwrap()]);
    check(
        &format!(r#""type":"memberJoined","joined":{{"members":[{{"type":"user","userId":"{USER}"}},7]}}"#),
        &joined,
    );
    let message = ReceivedMessage { text: "no id".to_owned(), ..ReceivedMessage::default() };
    check(
        r#""type":"messageEdited","message":{"type":"text","text":"no id"}"#,
        &InboundChange::Received(message),
    );
    check(r#""type":"teleport""#, &InboundChange::Unread);
    check(r#""type":7"#, &InboundChange::Unread);
}

#[test]
fn odd_events_do_not_affect_the_others() {
    let body = br#"{"events":[null,7,"x",[],{},{"type":"follow","webhookEventId":"01"}]}"#;

    let events = parse(body).unwrap().events;

    assert_eq!(events.len(), 6);
    assert!(
        events[..5]
            .iter()
            .all(|event| event.change == InboundChange::Unread && event.id.starts_with("sha256:"))
    );
    assert_eq!(events[5].change, InboundChange::Follow);
}

#[test]
fn an_id_that_is_unsafe_in_a_path_is_not_a_chat() {
    for id in ["", "../../v2", "U 1", "U\\u0000"] {
        let event = only(&format!(r#"{{"type":"follow","source":{{"type":"user","userId":"{id}"}}}}"#));
        assert_eq!(event.chat, None, "{id:?} was accepted");
    }
}

#[test]
fn the_test_events_of_the_verify_button_have_no_chat() {
    for digit in ["0", "f"] {
        let token = digit.repeat(32);
        let event = only(&format!(
            r#"{{"type":"message","replyToken":"{token}","source":{{"type":"user","userId":"Udeadbeefdeadbeefdeadbeefdeadbeef"}}}}"#
        ));
        assert_eq!(event.chat, None);
    }
}

#[test]
fn a_source_without_a_type_is_identified_by_its_id_but_not_one_of_an_unknown_type() {
    for (source, expected) in [
        (r#"{"type":null,"groupId":"C1","userId":"U1"}"#, Some((ChatKind::Group, "C1"))),
        (r#"{"type":7,"roomId":"R1"}"#, Some((ChatKind::Room, "R1"))),
        (r#"{"groupId":null,"userId":"U1"}"#, Some((ChatKind::User, "U1"))),
        (r#"{"type":"openchat","userId":"U1"}"#, None),
        (r#"{"type":"group","groupId":[],"userId":"U1"}"#, None),
    ] {
        let event = only(&format!(r#"{{"type":"follow","source":{source}}}"#));
        let chat = event.chat.as_ref().map(|chat| (chat.kind, chat.id.as_str()));
        assert_eq!(chat, expected, "{source}");
    }
}

#[test]
fn anything_else_in_the_envelope_is_ignored() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for envelope in [
        r#""events":EVENTS"#,
        r#""destination":null,"events":EVENTS"#,
        r#""destination":{"a":[1e400]},"events":EVENTS"#,
        r#""destination":"U0","destination":7,"events":EVENTS,"events":null"#,
        r#""events":[],"events":EVENTS,"events":{}"#,
        r#""\ud83d":1,"\u0065vents":EVENTS"#,
        r#""a":DEEP,"events":EVENTS"#,
        "\"\u{1}\":\"\n\",\"events\":EVENTS",
        r#""destination":01,"a":NaN,"events":EVENTS,"b":[-Infinity,.5,{"c":+1}],"d":1."#,
    ] {
        let body =
            format!("{{{envelope}}}").replace("EVENTS", r#"[{"type":"follow"}]"#).replace("DEEP", &deep);
        let events = parse(body.as_bytes()).unwrap().events;
        assert!(events.iter().map(|event| &event.change).eq([&InboundChange::Follow]), "{envelope}");
    }
}

#[test]
fn the_stored_body_preserves_invalid_escapes_and_bytes() {
    let text = |event: &InboundEvent| match &event.change {
        InboundChange::Received(message) => message.text.clone(),
        other => panic!("{other:?}"),
    };
    let message = |words: &[u8]| {
        [br#"{"events":[{"type":"message","message":{"type":"text","text":""#, words, br#""}}]}"#].concat()
    };

    let escaped = parse(&message(br"see you \ud83d")).unwrap().events.remove(0);
    let broken = parse(&message(b"see you \xf0\x9f\x98")).unwrap().events.remove(0);

    assert!(escaped.body.contains(r"see you \ud83d"), "{}", escaped.body);
    assert!(broken.body.contains(r"see you \udcf0\udc9f\udc98"), "{}", broken.body);
    for event in [escaped, broken] {
        assert_eq!(text(&event), "see you �");
        assert_eq!(parse_event(&event.body), event, "reparsing the stored body gives the same event");
    }
}

#[test]
fn events_whose_ids_differ_only_in_unreadable_bytes_are_distinct_and_their_messages_have_no_id() {
    for (one, other) in [
        (br"A\ud83d".as_slice(), br"A\ud83e".as_slice()),
        (b"A\xff", b"A\xfe"),
        (br"A\q", br"A\u1"),
        (b" ", b"  "),
        (b"\x01", b"\x02"),
    ] {
        let [one, other] = [one, other].map(|id| {
            let before = br#"{"events":[{"type":"message","webhookEventId":""#.as_slice();
            let body = [before, id, br#"","message":{"type":"text","text":"hi","id":""#, id, br#""}}]}"#];
            parse(&body.concat()).unwrap().events.remove(0)
        });

        assert_ne!(one.id, other.id);
        assert_eq!((one.message_id, other.message_id), (None, None));
        assert!(one.id.starts_with("sha256:") && other.id.starts_with("sha256:"));
    }
}

#[test]
fn an_invalid_escape_loses_no_event() {
    let body = br#"{"\q":1,"events":[{"type":"follow"},{"type":"message","message":{"type":"text","text":"hi \q \u12"}}]}"#;

    let events = parse(body).unwrap().events;

    let InboundChange::Received(message) = &events[1].change else { panic!("it is not a message") };
    assert_eq!((&events[0].change, message.text.as_str()), (&InboundChange::Follow, "hi �q �u12"));
    assert_eq!(&parse_event(&events[1].body), &events[1], "reparsing the stored body gives the same event");
}

#[test]
fn a_timestamp_before_lines_launch_is_none() {
    for (time, expected) in [
        ("0", None),
        ("1", None),
        ("-5", None),
        ("1293839999999", None),
        ("1293840000000", Some("2011-01-01 00:00:00.000000")),
        ("1.655445974446e12", Some("2022-06-17 06:06:14.446000")),
        ("1e400", None),
        ("01655445974446", None),
        ("NaN", None),
    ] {
        let found = only(&format!(r#"{{"type":"follow","timestamp":{time}}}"#)).occurred_at;
        assert_eq!(found.map(|at| at.to_string()).as_deref(), expected, "{time}");
    }
}

#[test]
fn only_a_body_without_an_events_array_is_refused() {
    assert!(parse(br#"{"destination":"U0","events":[]}"#).unwrap().events.is_empty());
    for body in
        ["", "[]", "{}", r#"{"events":1}"#, "{\"events\":[]}x", "{\"events\":01}", "{\"events\":[],\"a\":1."]
    {
        assert!(parse(body.as_bytes()).is_err(), "{body:?} was accepted");
    }
}
