//! Parses one webhook event and maps its kind to a change of the conversation ("Webhook event objects" in
//! LINE's reference). A new kind goes into `change`.

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::line::lenient;
use crate::line::webhook::received_message;
use crate::model::chats::chat::{Chat, ChatKind, LineId};
use crate::model::chats::inbound::{InboundChange, InboundEvent, ReceivedMessage};
use crate::model::timestamp::Timestamp;

/// Maximum length of an event id; LINE's have 26 characters.
const EVENT_ID_BYTES_MAX: usize = 128;

/// 2011-01-01; LINE started in June of that year.
const LINE_LAUNCH: Timestamp = Timestamp::from_microseconds(1_293_840_000_000_000);

/// Parses one event of a webhook body. Anything that is not an event becomes [`InboundChange::Unread`].
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

/// The event's timestamp, unless it is from before LINE existed.
fn occurred_at(milliseconds: &Value) -> Option<Timestamp> {
    let at = lenient::integer(milliseconds).and_then(Timestamp::from_foreign_milliseconds);
    at.filter(|at| *at >= LINE_LAUNCH)
}

/// The "Verify" button of LINE's old console sends made-up events with recognizable reply tokens.
fn is_console_test(event: &Value) -> bool {
    let token = event["replyToken"].as_str().unwrap_or_default();
    token.len() == 32 && (token.bytes().all(|byte| byte == b'0') || token.bytes().all(|byte| byte == b'f'))
}

/// The chat of an event. A source without a readable type is identified by the id that it has.
fn chat(source: &Value) -> Option<Chat> {
    const KINDS: [(&str, ChatKind, &str); 3] = [
        ("group", ChatKind::Group, "groupId"),
        ("room", ChatKind::Room, "roomId"),
        ("user", ChatKind::User, "userId"),
    ];
    let matches_source = |(name, _, id): &&(&str, ChatKind, &str)| match source["type"].as_str() {
        Some(kind) => kind == *name,
        None => source[*id].is_string(),
    };
    let (_, kind, id) = KINDS.iter().find(matches_source)?;
    Some(Chat { kind: *kind, id: LineId::parse(source[*id].as_str()?)? })
}

/// LINE's event id, or a fingerprint if that is unreadable, so that duplicates are still recognized.
fn event_id(event: &Value, body: &str) -> String {
    let id = lenient::id(&event["webhookEventId"]).filter(|id| id.len() <= EVENT_ID_BYTES_MAX);
    id.filter(|_| event["webhookEventId"].is_string()).unwrap_or_else(|| fingerprint(body))
}

fn fingerprint(body: &str) -> String {
    let digest = digest::digest(&digest::SHA256, body.as_bytes());
    format!("sha256:{}", HEXLOWER.encode(digest.as_ref()))
}

fn message_id(event: &Value) -> Option<String> {
    let id = if event["type"] == "unsend" { &event["unsend"]["messageId"] } else { &event["message"]["id"] };
    lenient::id(id)
}

fn change(event: &Value) -> InboundChange {
    match event["type"].as_str().unwrap_or_default() {
        "message" => received(received_message::message(&event["message"])),
        "postback" => received(received_message::postback(&event["postback"])),
        // Without an id it is unknown which message was edited, so the new text is shown as a new message.
        "messageEdited" if message_id(event).is_none() => {
            received(received_message::message(&event["message"]))
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

fn received(message: Option<ReceivedMessage>) -> InboundChange {
    message.map_or(InboundChange::Unread, InboundChange::Received)
}

fn members(change: &Value) -> Vec<LineId> {
    let members = change["members"].as_array().into_iter().flatten();
    members.filter_map(|member| member["userId"].as_str()).filter_map(LineId::parse).collect()
}
