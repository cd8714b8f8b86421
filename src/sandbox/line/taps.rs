//! A person presses what the bot has sent, and what comes of it.

use serde_json::{Value, json};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, PrimitiveDateTime, Time};

use crate::model::timestamp::Timestamp;
use crate::sandbox::line::events::{self, ChatContext, EmittedEvent, Writing};
use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::people::buttons::{self, Button};
use crate::sandbox::people::chats::ChatMessage;
use crate::sandbox::state::PlatformData;

/// A refusal lists at most so many buttons.
const LISTED_MAX: usize = 50;

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const TIME: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]");
const DATE_TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]");

/// What a person presses: the message and the label narrow what there is, the index chooses of what is left.
#[derive(Debug)]
pub struct Tap<'a> {
    /// The id or name of the person.
    pub user: &'a str,
    /// The id or name of the group or room; without it, the chat with the bot alone.
    pub group: Option<&'a str>,
    /// The message.
    pub message_id: Option<&'a str>,
    /// What is written on it.
    pub label: Option<&'a str>,
    /// Which one of several, counted from 0.
    pub index: usize,
    /// The date or time that the person chooses.
    pub params: Option<&'a Value>,
    /// The picture that the person takes, or the place.
    pub message: Option<Value>,
}

/// What comes of it.
#[derive(Debug)]
pub enum Tapped {
    /// The bot is told.
    Told(EmittedEvent),
    /// Something happens on the phone alone.
    OnPhone(Value),
}

/// What a person can press in a chat, the newest message first.
pub fn buttons(state: &PlatformData, user: &str, group: Option<&str>) -> Result<Vec<Button>, Refusal> {
    Ok(buttons::of_chat(&state.chats, &events::chat_context(state, user, group)?.chat))
}

/// A person presses something.
pub fn tap(state: &mut PlatformData, tap: &Tap<'_>, now: Timestamp) -> Result<Tapped, Refusal> {
    let place = events::chat_context(state, tap.user, tap.group)?;
    let button = chosen(buttons::of_chat(&state.chats, &place.chat), tap)?;
    let action = &button.action;
    let text = |name: &str| action[name].as_str().unwrap_or_default();
    let tapped = match text("type") {
        "postback" => Tapped::Told(postback(state, &place, tap, action, now)?),
        "datetimepicker" => {
            let postback = json!({ "data": action["data"], "params": picked(action, tap.params)? });
            Tapped::Told(events::postback(state, (tap.user, tap.group), &postback, now)?)
        }
        "message" => Tapped::Told(say(state, tap, text("text"), now)?),
        kind @ ("camera" | "cameraRoll" | "location") => {
            let message = taken(kind, tap.message.clone())?;
            Tapped::Told(write(state, tap, message, now)?)
        }
        "uri" => Tapped::OnPhone(json!({ "opened": action.get("uri").or(action.get("linkUri")) })),
        "clipboard" => Tapped::OnPhone(json!({ "copied": action["clipboardText"] })),
        kind => return Err(Refusal::conflict(format!("the sandbox has nothing for the action {kind}"))),
    };
    if button.is_quick_reply() {
        state.chats.hide_quick_replies(&place.chat, &button.message_id);
    }
    Ok(tapped)
}

fn chosen(mut buttons: Vec<Button>, tap: &Tap<'_>) -> Result<Button, Refusal> {
    let is_meant = |button: &Button| {
        tap.message_id.is_none_or(|id| button.message_id == id)
            && tap.label.is_none_or(|label| button.label.as_deref() == Some(label))
    };
    let position = buttons.iter().enumerate().filter(|(_, button)| is_meant(button)).nth(tap.index);
    if let Some((position, _)) = position {
        return Ok(buttons.swap_remove(position));
    }
    buttons.truncate(LISTED_MAX);
    Err(Refusal::no_button(buttons))
}

fn postback(
    state: &mut PlatformData,
    place: &ChatContext,
    tap: &Tap<'_>,
    action: &Value,
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    // The bot is told of `text` as of any message, and of `displayText` nothing.
    let said = action["text"].as_str().filter(|text| !text.is_empty());
    let said = said.map(|text| say(state, tap, text, now)).transpose()?;
    if let Some(text) = action["displayText"].as_str().filter(|text| !text.is_empty()) {
        let id = state.next_message_id(now);
        let message = json!({ "type": "text", "text": text });
        state.chats.show(&place.chat, ChatMessage::new(&id, Some(&place.user.id), &message, now));
    }
    let postback = json!({ "data": action["data"] });
    let mut pressed = events::postback(state, (tap.user, tap.group), &postback, now)?;
    if let Some(said) = said {
        pressed.webhook.events.splice(0..0, said.webhook.events);
        pressed.message_id = said.message_id;
    }
    Ok(pressed)
}

fn say(state: &mut PlatformData, tap: &Tap<'_>, text: &str, now: Timestamp) -> Result<EmittedEvent, Refusal> {
    write(state, tap, json!({ "type": "text", "text": text }), now)
}

fn write(
    state: &mut PlatformData,
    tap: &Tap<'_>,
    message: Value,
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    let writing = Writing { user: tap.user, group: tap.group, message, content: None };
    events::write(state, writing, now)
}

/// The picture or the place that the person sends.
fn taken(action: &str, message: Option<Value>) -> Result<Value, Refusal> {
    let (kinds, usual): (&[&str], Value) = if action == "location" {
        let place = json!({ "type": "location", "title": "Tokyo Station",
            "address": "1-9-1 Marunouchi, Chiyoda, Tokyo", "latitude": 35.681_236, "longitude": 139.767_125 });
        (&["location"], place)
    } else {
        (&["image", "video"], json!({ "type": "image" }))
    };
    let message = message.unwrap_or(usual);
    if message["type"].as_str().is_some_and(|kind| kinds.contains(&kind)) {
        return Ok(message);
    }
    Err(Refusal::bad_request(format!("the action {action} takes a message of type {}", kinds.join(" or "))))
}

/// What was chosen, if the picker lets a person choose it.
fn picked(action: &Value, params: Option<&Value>) -> Result<Value, Refusal> {
    let mode = action["mode"].as_str().unwrap_or_default();
    let (form, earliest, latest) = match mode {
        "date" => ("YYYY-MM-DD", "1900-01-01", "2100-12-31"),
        "time" => ("hh:mm", "00:00", "23:59"),
        _ => ("YYYY-MM-DDThh:mm", "1900-01-01T00:00", "2100-12-31T23:59"),
    };
    let bound = |name: &str, usual: &str| action[name].as_str().unwrap_or(usual).replace('t', "T");
    let (earliest, latest) = (bound("min", earliest), bound("max", latest));
    let only = params.and_then(Value::as_object).filter(|params| params.len() == 1);
    let picked = only.and_then(|params| params.get(mode)?.as_str()).filter(|picked| is_time(mode, picked));
    // Texts of one form sort as what they mean.
    match picked.filter(|picked| (earliest.as_str()..=latest.as_str()).contains(picked)) {
        Some(picked) => Ok(json!({ mode: picked })),
        None => Err(Refusal::bad_request(format!(
            "params must be {{\"{mode}\": \"{form}\"}}, from {earliest} to {latest}"
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
