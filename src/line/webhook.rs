//! Reading the body of a webhook ("Webhook event objects" in LINE's reference).
//!
//! LINE adds event kinds, properties and values without notice, so nothing here insists on more than it needs: what is
//! not understood is kept as it came and costs nothing else of the body.

use std::fmt;

use aws_lc_rs::digest;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, InvalidRule, Result};
use crate::line::{lenient, received_message};
use crate::model::chats::chat::{Chat, ChatKind, LineId};
use crate::model::chats::inbound::{InboundChange, InboundEvent};
use crate::model::timestamp::Timestamp;

/// LINE's event ids have 26 characters.
const EVENT_ID_BYTES_MAX: usize = 128;

/// The body of one webhook.
#[derive(Debug)]
pub struct ParsedWebhook {
    /// The user id of the bot that it is for.
    pub destination: String,
    /// Its events, in the order in which they came; none when LINE only tests the connection.
    pub events: Vec<InboundEvent>,
}

/// 2011-01-01; LINE came in June.
const LINE_BEGAN: Timestamp = Timestamp::from_microseconds(1_293_840_000_000_000);

/// What of a body is looked at. Each part is read by itself, so that an odd one costs no other.
struct Envelope<'body> {
    destination: String,
    events: Vec<&'body RawValue>,
}

/// Reads a body whose signature was verified. Fails only when it is no JSON with an array of `events`.
pub fn parse(body: &[u8]) -> Result<ParsedWebhook> {
    let expected =
        |error| Error::invalid(InvalidRule::JsonBody, format!("a webhook is JSON with `events`: {error}"));
    read(body).or_else(|_| read(lenient::text(body).as_bytes())).map_err(expected)
}

fn read(body: &[u8]) -> serde_json::Result<ParsedWebhook> {
    let Envelope { destination, events } = serde_json::from_slice(body)?;
    Ok(ParsedWebhook {
        destination,
        events: events.into_iter().map(|event| parse_event(event.get())).collect(),
    })
}

impl<'body> Deserialize<'body> for Envelope<'body> {
    fn deserialize<D: Deserializer<'body>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'body> Visitor<'body> for EnvelopeVisitor {
    type Value = Envelope<'body>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'body>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut destination, mut events) = (String::new(), None);
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let raw = |raw: &RawValue| lenient::value(raw.get().as_bytes()).unwrap_or_default();
            match raw(name).as_str() {
                Some("destination") => raw(value).as_str().unwrap_or_default().clone_into(&mut destination),
                Some("events") => {
                    let found: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
                    let is_list = value.get().starts_with('[');
                    events =
                        if is_list { Some([events.unwrap_or_default(), found].concat()) } else { events };
                }
                _ => {}
            }
        }
        let events = events.ok_or_else(|| M::Error::custom("it has no list of `events`"))?;
        Ok(Envelope { destination, events })
    }
}

/// Reads one event of a body. What is no event at all is [`Change::Unread`].
pub fn parse_event(body: &str) -> InboundEvent {
    let event = lenient::value(body.as_bytes()).unwrap_or_default();
    let chat = if is_console_test(&event) { None } else { chat(&event["source"]) };
    let owned = |value: &Value| lenient::string(value).map(str::to_owned);
    InboundEvent {
        id: event_id(&event, body),
        kind: event["type"].as_str().unwrap_or_default().to_owned(),
        occurred_at: occurred_at(&event["timestamp"]),
        standby: event["mode"] == "standby",
        speaker: chat.as_ref().and_then(|_| event["source"]["userId"].as_str()).and_then(LineId::parse),
        chat,
        message_id: message_id(&event),
        reply_token: owned(&event["replyToken"]),
        read_token: owned(&event["message"]["markAsReadToken"]),
        change: change(&event),
        body: body.to_owned(),
    }
}

/// When LINE says that it happened, unless that was before there was a LINE.
fn occurred_at(milliseconds: &Value) -> Option<Timestamp> {
    let at = lenient::integer(milliseconds).and_then(Timestamp::from_foreign_milliseconds);
    at.filter(|at| *at >= LINE_BEGAN)
}

/// The console's old "Verify" button sends made-up events, which are recognized by their reply tokens.
fn is_console_test(event: &Value) -> bool {
    let token = event["replyToken"].as_str().unwrap_or_default();
    token.len() == 32 && (token.bytes().all(|byte| byte == b'0') || token.bytes().all(|byte| byte == b'f'))
}

/// A source whose type cannot be read is known by the id that it has.
fn chat(source: &Value) -> Option<Chat> {
    const KINDS: [(&str, ChatKind, &str); 3] = [
        ("group", ChatKind::Group, "groupId"),
        ("room", ChatKind::Room, "roomId"),
        ("user", ChatKind::User, "userId"),
    ];
    let is_meant = |(name, _, id): &&(&str, ChatKind, &str)| match source["type"].as_str() {
        Some(kind) => kind == *name,
        None => source[*id].is_string(),
    };
    let (_, kind, id) = KINDS.iter().find(is_meant)?;
    Some(Chat { kind: *kind, id: LineId::parse(source[*id].as_str()?)? })
}

/// LINE's id, or for an event without one that can be read a fingerprint, so that its copies are recognized all the same.
fn event_id(event: &Value, body: &str) -> String {
    let id = lenient::id(&event["webhookEventId"]).filter(|id| id.len() <= EVENT_ID_BYTES_MAX);
    id.filter(|_| event["webhookEventId"].is_string()).unwrap_or_else(|| fingerprint(body))
}

fn fingerprint(body: &str) -> String {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    digest.as_ref().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn message_id(event: &Value) -> Option<String> {
    let id = if event["type"] == "unsend" { &event["unsend"]["messageId"] } else { &event["message"]["id"] };
    lenient::id(id)
}

fn change(event: &Value) -> InboundChange {
    match event["type"].as_str().unwrap_or_default() {
        "message" => {
            received_message::message(&event["message"]).map_or(InboundChange::Unread, InboundChange::Said)
        }
        "postback" => {
            received_message::postback(&event["postback"]).map_or(InboundChange::Unread, InboundChange::Said)
        }
        // Without an id nobody knows what was edited: what is said now is shown as something new.
        "messageEdited" if message_id(event).is_none() => {
            received_message::message(&event["message"]).map_or(InboundChange::Unread, InboundChange::Said)
        }
        "messageEdited" => {
            received_message::message(&event["message"]).map_or(InboundChange::Unread, InboundChange::Edited)
        }
        "unsend" if message_id(event).is_some() => InboundChange::Unsend,
        "follow" => InboundChange::Follow,
        "unfollow" => InboundChange::Unfollow,
        "join" => InboundChange::Join,
        "leave" => InboundChange::Leave,
        "memberJoined" => InboundChange::MembersJoined(members(&event["joined"])),
        "memberLeft" => InboundChange::MembersLeft(members(&event["left"])),
        "videoPlayComplete" | "beacon" | "accountLink" | "membership" => InboundChange::Noted,
        _ => InboundChange::Unread,
    }
}

fn members(change: &Value) -> Vec<LineId> {
    let members = change["members"].as_array().into_iter().flatten();
    members.filter_map(|member| member["userId"].as_str()).filter_map(LineId::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::chats::inbound::ReceivedMessage;

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
    fn a_text_of_a_user_is_read() {
        let event = only(&format!(
            r#"{{"type":"message","mode":"active","timestamp":1655445974446,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR",
                "source":{{"type":"user","userId":"{USER}"}},"replyToken":"r","deliveryContext":{{"isRedelivery":false}},
                "message":{{"id":"468789","type":"text","text":"hi \ud83d\ude00","quoteToken":"q"}}}}"#
        ));

        assert_eq!(event.id, "01FZ74A0TDDPYRVKNK77XKC3ZR");
        let InboundChange::Said(saying) = event.change else { panic!("it is not a message") };
        assert_eq!((saying.text.as_str(), saying.quote_token.as_deref()), ("hi 😀", Some("q")));
        assert_eq!(event.reply_token.as_deref(), Some("r"));
        assert_eq!(event.message_id.as_deref(), Some("468789"));
        assert_eq!(event.occurred_at.unwrap().to_string(), "2022-06-17 06:06:14.446000");
        assert_eq!(event.chat.unwrap().id.as_str(), USER);
        assert_eq!(event.speaker.unwrap().as_str(), USER);
        assert!(event.body.contains(r"\ud83d"), "the body is kept as it came");
    }

    #[test]
    fn each_modelled_kind_has_its_meaning_and_every_other_is_kept() {
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
            &format!(
                r#""type":"memberJoined","joined":{{"members":[{{"type":"user","userId":"{USER}"}},7]}}"#
            ),
            &joined,
        );
        let said = ReceivedMessage { text: "no id".to_owned(), ..ReceivedMessage::default() };
        check(
            r#""type":"messageEdited","message":{"type":"text","text":"no id"}"#,
            &InboundChange::Said(said),
        );
        check(r#""type":"teleport""#, &InboundChange::Unread);
        check(r#""type":7"#, &InboundChange::Unread);
    }

    #[test]
    fn odd_events_cost_the_others_nothing() {
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
    fn an_id_that_could_not_stand_in_a_path_is_no_chat() {
        for id in ["", "../../v2", "U 1", "U\\u0000"] {
            let event = only(&format!(r#"{{"type":"follow","source":{{"type":"user","userId":"{id}"}}}}"#));
            assert_eq!(event.chat, None, "{id:?} was taken");
        }
    }

    #[test]
    fn the_made_up_events_of_the_verify_button_happen_nowhere() {
        for digit in ["0", "f"] {
            let token = digit.repeat(32);
            let event = only(&format!(
                r#"{{"type":"message","replyToken":"{token}","source":{{"type":"user","userId":"Udeadbeefdeadbeefdeadbeefdeadbeef"}}}}"#
            ));
            assert_eq!(event.chat, None);
        }
    }

    #[test]
    fn a_source_without_a_type_is_known_by_its_id_and_one_of_an_unknown_type_is_not() {
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
    fn the_envelope_costs_nothing_whatever_else_is_in_it() {
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
    fn what_is_kept_of_an_event_says_what_came_also_where_it_is_no_text() {
        let text = |event: &InboundEvent| match &event.change {
            InboundChange::Said(saying) => saying.text.clone(),
            other => panic!("{other:?}"),
        };
        let said = |words: &[u8]| {
            [br#"{"events":[{"type":"message","message":{"type":"text","text":""#, words, br#""}}]}"#]
                .concat()
        };

        let escaped = parse(&said(br"see you \ud83d")).unwrap().events.remove(0);
        let broken = parse(&said(b"see you \xf0\x9f\x98")).unwrap().events.remove(0);

        assert!(escaped.body.contains(r"see you \ud83d"), "{}", escaped.body);
        assert!(broken.body.contains(r"see you \udcf0\udc9f\udc98"), "{}", broken.body);
        for event in [escaped, broken] {
            assert_eq!(text(&event), "see you �");
            assert_eq!(parse_event(&event.body), event, "it is read again as it was read first");
        }
    }

    #[test]
    fn events_whose_ids_differ_in_what_cannot_be_read_are_two_and_their_messages_have_none() {
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
    fn an_escape_that_is_none_costs_no_event() {
        let body = br#"{"\q":1,"events":[{"type":"follow"},{"type":"message","message":{"type":"text","text":"hi \q \u12"}}]}"#;

        let events = parse(body).unwrap().events;

        let InboundChange::Said(saying) = &events[1].change else { panic!("it is not a message") };
        assert_eq!((&events[0].change, saying.text.as_str()), (&InboundChange::Follow, "hi �q �u12"));
        assert_eq!(&parse_event(&events[1].body), &events[1], "it is read again as it was read first");
    }

    #[test]
    fn a_time_before_there_was_a_line_is_none() {
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
    fn only_what_is_no_webhook_at_all_is_refused() {
        assert!(parse(br#"{"destination":"U0","events":[]}"#).unwrap().events.is_empty());
        for body in [
            "",
            "[]",
            "{}",
            r#"{"events":1}"#,
            "{\"events\":[]}x",
            "{\"events\":01}",
            "{\"events\":[],\"a\":1.",
        ] {
            assert!(parse(body.as_bytes()).is_err(), "{body:?} was taken");
        }
    }
}
