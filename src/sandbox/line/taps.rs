//! Taps on buttons, and their effects.

use serde_json::{Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time};

use crate::model::timestamp::Timestamp;
use crate::sandbox::line::events::{self, ChatContext, EmittedEvent, UserMessage};
use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::people::buttons::{self, Button};
use crate::sandbox::people::chats::ChatMessage;
use crate::sandbox::state::PlatformData;

/// Maximum number of buttons that an error lists.
const LISTED_MAX: usize = 50;

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const TIME: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]");
const DATE_TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]");

/// Selects a button: the message and the label filter the buttons of the chat, and the index selects one of
/// the rest.
#[derive(Debug)]
pub struct Tap<'a> {
    /// The id or name of the person.
    pub user: &'a str,
    /// The id or name of the group or room; `None` for the chat with the bot.
    pub group: Option<&'a str>,
    /// The message.
    pub message_id: Option<&'a str>,
    /// The label of the button.
    pub label: Option<&'a str>,
    /// Index of the button among those that match, from 0.
    pub index: usize,
    /// The date or time that the person picks.
    pub params: Option<&'a Value>,
    /// The image that the person takes, or the location.
    pub message: Option<Value>,
}

/// The effect of a tap.
#[derive(Debug)]
pub enum Tapped {
    /// The bot gets an event.
    Emitted(EmittedEvent),
    /// Something happens on the phone only.
    OnPhone(Value),
}

/// The buttons that a person can tap in a chat, newest message first.
pub fn buttons(state: &PlatformData, user: &str, group: Option<&str>) -> Result<Vec<Button>, Refusal> {
    Ok(buttons::chat_buttons(&state.chats, &events::chat_context(state, user, group)?.chat))
}

/// A person taps a button.
pub fn tap(state: &mut PlatformData, tap: &Tap<'_>, now: Timestamp) -> Result<Tapped, Refusal> {
    let context = events::chat_context(state, tap.user, tap.group)?;
    let button = select(buttons::chat_buttons(&state.chats, &context.chat), tap)?;
    let action = &button.action;
    let text = |name: &str| action[name].as_str().unwrap_or_default();
    let tapped = match text("type") {
        "postback" => Tapped::Emitted(postback(state, &context, tap, action, now)?),
        "datetimepicker" => {
            let postback = json!({ "data": action["data"], "params": picked(action, tap.params)? });
            Tapped::Emitted(events::postback(state, (tap.user, tap.group), &postback, now)?)
        }
        "message" => Tapped::Emitted(send_text(state, tap, text("text"), now)?),
        kind @ ("camera" | "cameraRoll" | "location") => {
            let message = media_message(kind, tap.message.clone())?;
            Tapped::Emitted(write(state, tap, message, now)?)
        }
        "uri" => Tapped::OnPhone(json!({ "opened": action.get("uri").or(action.get("linkUri")) })),
        "clipboard" => Tapped::OnPhone(json!({ "copied": action["clipboardText"] })),
        kind => return Err(Refusal::conflict(format!("the sandbox does not support the action {kind}"))),
    };
    if button.is_quick_reply() {
        state.chats.hide_quick_replies(&context.chat, &button.message_id);
    }
    Ok(tapped)
}

fn select(mut buttons: Vec<Button>, tap: &Tap<'_>) -> Result<Button, Refusal> {
    let matches = |button: &Button| {
        tap.message_id.is_none_or(|id| button.message_id == id)
            && tap.label.is_none_or(|label| button.label.as_deref() == Some(label))
    };
    let position = buttons.iter().enumerate().filter(|(_, button)| matches(button)).nth(tap.index);
    if let Some((position, _)) = position {
        return Ok(buttons.swap_remove(position));
    }
    buttons.truncate(LISTED_MAX);
    Err(Refusal::no_button(buttons))
}

fn postback(
    state: &mut PlatformData,
    context: &ChatContext,
    tap: &Tap<'_>,
    action: &Value,
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    // The bot gets `text` like any message, but does not see `displayText`.
    let message = action["text"].as_str().filter(|text| !text.is_empty());
    let message = message.map(|text| send_text(state, tap, text, now)).transpose()?;
    if let Some(text) = action["displayText"].as_str().filter(|text| !text.is_empty()) {
        let id = state.next_message_id(now);
        let message = json!({ "type": "text", "text": text });
        state.chats.show(&context.chat, ChatMessage::new(&id, Some(&context.user.id), &message, now));
    }
    let postback = json!({ "data": action["data"] });
    let mut emitted = events::postback(state, (tap.user, tap.group), &postback, now)?;
    if let Some(message) = message {
        emitted.webhook.events.splice(0..0, message.webhook.events);
        emitted.message_id = message.message_id;
    }
    Ok(emitted)
}

fn send_text(
    state: &mut PlatformData,
    tap: &Tap<'_>,
    text: &str,
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    write(state, tap, json!({ "type": "text", "text": text }), now)
}

fn write(
    state: &mut PlatformData,
    tap: &Tap<'_>,
    message: Value,
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    let sent = UserMessage { user: tap.user, group: tap.group, message, content: None };
    events::write(state, sent, now)
}

/// The image or location that the person sends.
fn media_message(action: &str, message: Option<Value>) -> Result<Value, Refusal> {
    let (kinds, default): (&[&str], Value) = if action == "location" {
        let location = json!({ "type": "location", "title": "Tokyo Station",
            "address": "1-9-1 Marunouchi, Chiyoda, Tokyo", "latitude": 35.681_236, "longitude": 139.767_125 });
        (&["location"], location)
    } else {
        (&["image", "video"], json!({ "type": "image" }))
    };
    let message = message.unwrap_or(default);
    if message["type"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
        return Ok(message);
    }
    Err(Refusal::bad_request(format!("the action {action} needs a message of type {}", kinds.join(" or "))))
}

/// The picked date or time, if the picker allows it.
fn picked(action: &Value, params: Option<&Value>) -> Result<Value, Refusal> {
    let mode = action["mode"].as_str().unwrap_or_default();
    let (format, earliest, latest) = match mode {
        "date" => ("YYYY-MM-DD", "1900-01-01", "2100-12-31"),
        "time" => ("hh:mm", "00:00", "23:59"),
        _ => ("YYYY-MM-DDThh:mm", "1900-01-01T00:00", "2100-12-31T23:59"),
    };
    let bound = |name: &str, default: &str| action[name].as_str().unwrap_or(default).replace('t', "T");
    let (earliest, latest) = (bound("min", earliest), bound("max", latest));
    let only = params.and_then(Value::as_object).filter(|params| params.len() == 1);
    let picked = only.and_then(|params| params.get(mode)?.as_str()).filter(|picked| is_time(mode, picked));
    // Strings of one format sort in the order of the times that they denote.
    match picked.filter(|picked| (earliest.as_str()..=latest.as_str()).contains(picked)) {
        Some(picked) => Ok(json!({ mode: picked })),
        None => Err(Refusal::bad_request(format!(
            "params must be {{\"{mode}\": \"{format}\"}}, from {earliest} to {latest}"
        ))),
    }
}

fn is_time(mode: &str, text: &str) -> bool {
    match mode {
        "date" => Date::parse(text, DATE).is_ok(),
        "time" => Time::parse(text, TIME).is_ok(),
        _ => PrimitiveDateTime::parse(text, DATE_TIME).is_ok(),
    }
}
