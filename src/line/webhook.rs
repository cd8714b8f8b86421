//! Reading the body of a webhook ("Webhook event objects" in LINE's reference).
//!
//! LINE adds event kinds, properties and values without notice, so nothing here insists on more than it needs: what is
//! not understood is kept as it came and costs nothing else of the body.

use aws_lc_rs::digest;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Result, Rule};
use crate::line::said;
use crate::model::chat::{Chat, ChatKind, LineId};
use crate::model::inbound::{Change, InboundEvent};
use crate::model::object::object;
use crate::model::timestamp::Timestamp;

/// LINE's event ids have 26 characters.
const EVENT_ID_BYTES_MAX: usize = 128;

/// The body of one webhook.
#[derive(Debug)]
pub struct Webhook {
    /// The user id of the bot that it is for.
    pub destination: String,
    /// Its events, in the order in which they came; none when LINE only tests the connection.
    pub events: Vec<InboundEvent>,
}

#[derive(Deserialize)]
struct Envelope<'body> {
    #[serde(default)]
    destination: String,
    #[serde(borrow)]
    events: Vec<&'body RawValue>,
}

/// Reads a body whose signature was verified. Fails only when it is no JSON with an array of `events`.
pub fn parse(body: &[u8]) -> Result<Webhook> {
    let expected =
        |error| Error::invalid(Rule::JsonBody, format!("a webhook is JSON with `events`: {error}"));
    let envelope: Envelope<'_> = object(body).map_err(expected)?;
    let events = envelope.events.into_iter().map(|event| parse_event(event.get())).collect();
    Ok(Webhook { destination: envelope.destination, events })
}

/// Reads one event of a body. What is no event at all is [`Change::Unread`].
pub fn parse_event(body: &str) -> InboundEvent {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    let chat = if is_console_test(&event) { None } else { chat(&event["source"]) };
    InboundEvent {
        id: event_id(&event, body),
        kind: text(&event["type"]).unwrap_or_default().to_owned(),
        occurred_at: event["timestamp"].as_i64().map(Timestamp::from_milliseconds),
        standby: event["mode"] == "standby",
        speaker: chat.as_ref().and_then(|_| text(&event["source"]["userId"])).and_then(LineId::parse),
        chat,
        message_id: message_id(&event),
        reply_token: text(&event["replyToken"]).map(str::to_owned),
        read_token: text(&event["message"]["markAsReadToken"]).map(str::to_owned),
        change: change(&event),
        body: body.to_owned(),
    }
}

/// The console's old "Verify" button sends made-up events, which are recognized by their reply tokens.
fn is_console_test(event: &Value) -> bool {
    let token = text(&event["replyToken"]).unwrap_or_default();
    token.len() == 32 && (token.bytes().all(|byte| byte == b'0') || token.bytes().all(|byte| byte == b'f'))
}

fn chat(source: &Value) -> Option<Chat> {
    let (kind, id) = match text(&source["type"])? {
        "user" => (ChatKind::User, &source["userId"]),
        "group" => (ChatKind::Group, &source["groupId"]),
        "room" => (ChatKind::Room, &source["roomId"]),
        _ => return None,
    };
    Some(Chat { kind, id: LineId::parse(text(id)?)? })
}

/// LINE's id, or for an event without one a fingerprint, so that its copies are recognized all the same.
fn event_id(event: &Value, body: &str) -> String {
    let id = text(&event["webhookEventId"]).filter(|id| !id.is_empty() && id.len() <= EVENT_ID_BYTES_MAX);
    id.map_or_else(|| fingerprint(body), str::to_owned)
}

fn fingerprint(body: &str) -> String {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    digest.as_ref().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn message_id(event: &Value) -> Option<String> {
    let id = if event["type"] == "unsend" { &event["unsend"]["messageId"] } else { &event["message"]["id"] };
    text(id).filter(|id| !id.is_empty()).map(str::to_owned)
}

fn change(event: &Value) -> Change {
    match text(&event["type"]).unwrap_or_default() {
        "message" => said::message(&event["message"]).map_or(Change::Unread, Change::Said),
        "postback" => said::postback(&event["postback"]).map_or(Change::Unread, Change::Said),
        "messageEdited" => said::message(&event["message"])
            .filter(|_| message_id(event).is_some())
            .map_or(Change::Unread, Change::Edited),
        "unsend" if message_id(event).is_some() => Change::Unsend,
        "follow" => Change::Follow,
        "unfollow" => Change::Unfollow,
        "join" => Change::Join,
        "leave" => Change::Leave,
        "memberJoined" => Change::MembersJoined(members(&event["joined"])),
        "memberLeft" => Change::MembersLeft(members(&event["left"])),
        "videoPlayComplete" | "beacon" | "accountLink" | "membership" => Change::Noted,
        _ => Change::Unread,
    }
}

fn members(change: &Value) -> Vec<LineId> {
    let members = change["members"].as_array().into_iter().flatten();
    members.filter_map(|member| text(&member["userId"])).filter_map(LineId::parse).collect()
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "Ud871bcaf7c3ad13d2a0b0d78a42a287f";

    fn only(event: &str) -> InboundEvent {
        let body = format!(r#"{{"destination":"U0","events":[{event}]}}"#);
        parse(body.as_bytes()).unwrap().events.remove(0)
    }

    #[track_caller]
    fn check(kind: &str, expected: &Change) {
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
        let Change::Said(saying) = event.change else { panic!("it is not a message") };
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
        check(r#""type":"follow""#, &Change::Follow);
        check(r#""type":"unfollow""#, &Change::Unfollow);
        check(r#""type":"join""#, &Change::Join);
        check(r#""type":"leave""#, &Change::Leave);
        check(r#""type":"unsend","unsend":{"messageId":"1"}"#, &Change::Unsend);
        check(r#""type":"unsend""#, &Change::Unread);
        check(r#""type":"message","message":{"type":"hologram","id":"1"}"#, &Change::Unread);
        check(r#""type":"message","message":"?""#, &Change::Unread);
        check(r#""type":"beacon""#, &Change::Noted);
        check(r#""type":"membership""#, &Change::Noted);
        let joined = Change::MembersJoined(vec![LineId::parse(USER).unwrap()]);
        check(
            &format!(
                r#""type":"memberJoined","joined":{{"members":[{{"type":"user","userId":"{USER}"}},7]}}"#
            ),
            &joined,
        );
        check(r#""type":"messageEdited","message":{"type":"text","text":"no id"}"#, &Change::Unread);
        check(r#""type":"teleport""#, &Change::Unread);
        check(r#""type":7"#, &Change::Unread);
    }

    #[test]
    fn odd_events_cost_the_others_nothing() {
        let body = br#"{"events":[null,7,"x",[],{},{"type":"follow","webhookEventId":"01"}]}"#;

        let events = parse(body).unwrap().events;

        assert_eq!(events.len(), 6);
        assert!(
            events[..5].iter().all(|event| event.change == Change::Unread && event.id.starts_with("sha256:"))
        );
        assert_eq!(events[5].change, Change::Follow);
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
    fn only_what_is_no_webhook_at_all_is_refused() {
        assert!(parse(br#"{"destination":"U0","events":[]}"#).unwrap().events.is_empty());
        for body in ["", "[]", "{}", r#"{"events":1}"#, "{\"events\":[]}x"] {
            assert!(parse(body.as_bytes()).is_err(), "{body:?} was taken");
        }
    }
}
