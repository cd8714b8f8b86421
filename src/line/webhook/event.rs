//! One event of a webhook, and what each kind of event means for its conversation ("Webhook event objects" in LINE's
//! reference). A new kind goes into `change`.

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::line::lenient;
use crate::line::webhook::received_message;
use crate::model::chats::chat::{Chat, ChatKind, LineId};
use crate::model::chats::inbound::{InboundChange, InboundEvent, ReceivedMessage};
use crate::model::timestamp::Timestamp;

/// LINE's event ids have 26 characters.
const EVENT_ID_BYTES_MAX: usize = 128;

/// 2011-01-01; LINE came in June.
const LINE_BEGAN: Timestamp = Timestamp::from_microseconds(1_293_840_000_000_000);

/// Reads one event of a body. What is not an event at all is [`InboundChange::Unread`].
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
        // Without an id nobody knows which message was edited: the new text is shown as a new message.
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
