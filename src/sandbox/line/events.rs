//! Actions of people on their phones, and the events that they cause.

use serde_json::{Value, json};

use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::line::webhooks::{self, event};
use crate::sandbox::people::chats::ChatMessage;
use crate::sandbox::people::{Friendship, Group, GroupKind, User};
use crate::sandbox::records::contents::{Readiness, SampleContent};
use crate::sandbox::records::{random, tokens};
use crate::sandbox::state::PlatformData;
use crate::sandbox::webhook::EmittedWebhook;

/// The kinds of messages that have content to download.
const MEDIA: [&str; 4] = ["image", "video", "audio", "file"];

/// A message that a person sends.
#[derive(Debug)]
pub struct UserMessage<'a> {
    /// The id or name of the person.
    pub user: &'a str,
    /// The id or name of the group or room; `None` for the chat with the bot.
    pub group: Option<&'a str>,
    /// The message object, without what LINE adds to it.
    pub message: Value,
    /// The content of an image, video, audio or file.
    pub content: Option<SampleContent>,
}

/// A person in a chat with the bot.
#[derive(Debug)]
pub struct ChatContext {
    /// The person.
    pub user: User,
    /// The `source` of events.
    pub source: Value,
    /// The id of the chat.
    pub chat: String,
}

/// The event of an action.
#[derive(Debug)]
pub struct EmittedEvent {
    /// The webhook for the bot.
    pub webhook: EmittedWebhook,
    /// The id of the message that was sent.
    pub message_id: Option<String>,
}

/// A person sends a message.
pub fn write(
    state: &mut PlatformData,
    sent: UserMessage<'_>,
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    let ChatContext { user, source, chat } = chat_context(state, sent.user, sent.group)?;
    if chat == user.id {
        with_user(state, &user.id, |user| user.wrote_at = Some(now.as_milliseconds()));
    }
    let id = state.next_message_id(now);
    let message = complete_message(state, (&chat, &id), sent.message, sent.content)?;
    state.chats.show(&chat, ChatMessage::new(&id, Some(&user.id), &message, now));
    let properties = json!({ "type": "message", "message": message });
    let mut emitted = emit(state, &source, &properties, now);
    emitted.message_id = Some(id);
    Ok(emitted)
}

/// A person sends this many images together, one message each, shuffled or in order; LINE guarantees no
/// order.
pub fn album(
    state: &mut PlatformData,
    (user, group): (&str, Option<&str>),
    (images, is_shuffled): (usize, bool),
    now: Timestamp,
) -> Result<Vec<EmittedEvent>, Refusal> {
    let id = random::hexadecimal::<32>().to_uppercase();
    let mut emitted = Vec::with_capacity(images);
    for index in 1..=images {
        let set = json!({ "id": id, "index": index, "total": images });
        let message = json!({ "type": "image", "imageSet": set });
        emitted.push(write(state, UserMessage { user, group, message, content: None }, now)?);
    }
    if is_shuffled {
        state.generator.shuffle(&mut emitted);
    }
    Ok(emitted)
}

/// A person adds the bot as a friend, or unblocks it.
pub fn follow(state: &mut PlatformData, user_id: &str, now: Timestamp) -> Result<EmittedEvent, Refusal> {
    let user = user(state, user_id)?;
    let is_unblocked = user.friendship == Friendship::Blocked;
    with_user(state, &user.id, |user| user.friendship = Friendship::Friend);
    let properties = json!({ "type": "follow", "follow": { "isUnblocked": is_unblocked } });
    Ok(emit(state, &user_source(&user), &properties, now))
}

/// A person blocks the bot.
pub fn block(state: &mut PlatformData, user_id: &str, now: Timestamp) -> Result<EmittedEvent, Refusal> {
    let user = user(state, user_id)?;
    with_user(state, &user.id, |user| user.friendship = Friendship::Blocked);
    Ok(emit(state, &user_source(&user), &json!({ "type": "unfollow" }), now))
}

/// A person edits a text; LINE allows this in groups and rooms.
pub fn edit(
    state: &mut PlatformData,
    user_id: &str,
    (message_id, text): (&str, &str),
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    let user = user(state, user_id)?;
    let chat = state.chats.find_chat(message_id, &user.id).filter(|chat| *chat != user.id);
    let chat =
        chat.ok_or_else(|| Refusal::not_found("message of this person in a group or room:", message_id))?;
    let source = source(state, &user, Some(&chat))?;
    let edited = state.chats.edit(&chat, message_id, text);
    let message = edited.ok_or_else(|| Refusal::conflict("only a text that was not unsent can be edited"))?;
    Ok(emit(state, &source, &json!({ "type": "messageEdited", "message": message }), now))
}

/// A person unsends a message.
pub fn unsend(
    state: &mut PlatformData,
    user_id: &str,
    message_id: &str,
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    let user = user(state, user_id)?;
    let chat = state.chats.find_chat(message_id, &user.id);
    let chat = chat.ok_or_else(|| Refusal::not_found("message of this person", message_id))?;
    state.chats.unsend(&chat, message_id);
    if let Some(content) = state.contents.get_mut(message_id) {
        content.readiness = Readiness::Unsent;
    }
    let source = source(state, &user, Some(&chat).filter(|chat| **chat != user.id).map(String::as_str))?;
    let properties = json!({ "type": "unsend", "unsend": { "messageId": message_id } });
    Ok(emit(state, &source, &properties, now))
}

/// A person taps a button.
pub fn postback(
    state: &mut PlatformData,
    (user_id, group): (&str, Option<&str>),
    postback: &Value,
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    let source = chat_context(state, user_id, group)?.source;
    Ok(emit(state, &source, &json!({ "type": "postback", "postback": postback }), now))
}

/// The bot is invited to a group or room with these people.
pub fn join(
    state: &mut PlatformData,
    (name, kind): (&str, GroupKind),
    members: &[String],
    now: Timestamp,
) -> (Group, EmittedEvent) {
    let ids = user_ids(state, members);
    let group = state.people_mut().group_named(name, kind);
    group.has_bot = true;
    let new = ids.into_iter().filter(|id| !group.members.contains(id)).collect::<Vec<_>>();
    group.members.extend(new);
    let group = group.clone();
    let emitted = emit(state, &group_source(&group), &json!({ "type": "join" }), now);
    (group, emitted)
}

/// The bot is removed from a group or room, or leaves it.
pub fn leave(state: &mut PlatformData, group_id: &str, now: Timestamp) -> Result<EmittedEvent, Refusal> {
    let group = group(state, group_id)?;
    if let Some(group) = state.people_mut().group_mut(&group.id) {
        group.has_bot = false;
    }
    Ok(emit(state, &group_source(&group), &json!({ "type": "leave" }), now))
}

/// People join a group or room.
pub fn join_members(
    state: &mut PlatformData,
    group_id: &str,
    members: &[String],
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    let group = group(state, group_id)?;
    let mut ids = user_ids(state, members);
    ids.retain(|id| !group.members.contains(id));
    if let Some(group) = state.people_mut().group_mut(&group.id) {
        group.members.extend(ids.iter().cloned());
    }
    let properties = json!({ "type": "memberJoined", "joined": { "members": member_sources(&ids) } });
    Ok(emit(state, &group_source(&group), &properties, now))
}

/// People leave a group or room.
pub fn leave_members(
    state: &mut PlatformData,
    group_id: &str,
    members: &[String],
    now: Timestamp,
) -> Result<EmittedEvent, Refusal> {
    let group = group(state, group_id)?;
    let mut ids = user_ids(state, members);
    ids.retain(|id| group.members.contains(id));
    if let Some(group) = state.people_mut().group_mut(&group.id) {
        group.members.retain(|id| !ids.contains(id));
    }
    let properties = json!({ "type": "memberLeft", "left": { "members": member_sources(&ids) } });
    Ok(emit(state, &group_source(&group), &properties, now))
}

/// The chat of a person with the bot; refused if they have none or the person has blocked the bot.
pub fn chat_context(
    state: &PlatformData,
    user_id: &str,
    group: Option<&str>,
) -> Result<ChatContext, Refusal> {
    let user = user(state, user_id)?;
    let source = source(state, &user, group)?;
    let chat = webhooks::chat(&source).unwrap_or_default().to_owned();
    if chat == user.id && user.friendship == Friendship::Blocked {
        return Err(Refusal::conflict(format!("{} has blocked the bot and cannot write to it", user.name)));
    }
    Ok(ChatContext { user, source, chat })
}

fn emit(state: &mut PlatformData, source: &Value, properties: &Value, now: Timestamp) -> EmittedEvent {
    let event = event(state, source, properties, now);
    EmittedEvent { webhook: EmittedWebhook::new(state.saved(), vec![event]), message_id: None }
}

/// The message as the bot gets it, with what LINE adds to it.
fn complete_message(
    state: &mut PlatformData,
    (chat, id): (&str, &str),
    message: Value,
    content: Option<SampleContent>,
) -> Result<Value, Refusal> {
    let Value::Object(mut message) = message else {
        return Err(Refusal::bad_request("the message must be an object"));
    };
    let kind = message.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut added = additions(&state.saved().channel.secret, chat, id, &kind);
    if MEDIA.contains(&kind.as_str()) {
        let content = content.unwrap_or_else(|| SampleContent::sample(&kind));
        if kind == "file" {
            added.extend([("fileName", json!("file.bin")), ("fileSize", json!(content.size()))]);
        }
        state.contents.put(id, content);
    }
    for (name, value) in added {
        message.entry(name).or_insert(value);
    }
    Ok(Value::Object(message))
}

fn additions(secret: &Secret, chat: &str, id: &str, kind: &str) -> Vec<(&'static str, Value)> {
    let mut added = vec![("id", json!(id)), ("markAsReadToken", json!(tokens::read(secret, id)))];
    if matches!(kind, "text" | "sticker" | "image" | "video") {
        added.push(("quoteToken", json!(tokens::quote(secret, chat, id))));
    }
    match kind {
        "image" | "video" | "audio" => added.push(("contentProvider", json!({ "type": "line" }))),
        "sticker" => added.push(("stickerResourceType", json!("STATIC"))),
        _ => {}
    }
    added
}

fn user(state: &PlatformData, id_or_name: &str) -> Result<User, Refusal> {
    state.people().user(id_or_name).cloned().ok_or_else(|| Refusal::not_found("user", id_or_name))
}

fn group(state: &PlatformData, id_or_name: &str) -> Result<Group, Refusal> {
    let group = state.people().group(id_or_name).filter(|group| group.has_bot);
    group.cloned().ok_or_else(|| Refusal::not_found("group with the bot in it:", id_or_name))
}

fn with_user(state: &mut PlatformData, id: &str, change: impl FnOnce(&mut User)) {
    if let Some(user) = state.people_mut().user_mut(id) {
        change(user);
    }
}

fn user_ids(state: &mut PlatformData, names: &[String]) -> Vec<String> {
    names.iter().map(|name| state.people_mut().user_named(name).id.clone()).collect()
}

fn source(state: &PlatformData, user: &User, group_id: Option<&str>) -> Result<Value, Refusal> {
    let Some(group_id) = group_id else { return Ok(user_source(user)) };
    let group = group(state, group_id)?;
    if !group.members.contains(&user.id) {
        return Err(Refusal::conflict(format!("{} is not in {}", user.name, group.name)));
    }
    let mut source = group_source(&group);
    source["userId"] = json!(user.id);
    Ok(source)
}

fn user_source(user: &User) -> Value {
    json!({ "type": "user", "userId": user.id })
}

fn group_source(group: &Group) -> Value {
    match group.kind {
        GroupKind::Group => json!({ "type": "group", "groupId": group.id }),
        GroupKind::Room => json!({ "type": "room", "roomId": group.id }),
    }
}

fn member_sources(ids: &[String]) -> Vec<Value> {
    ids.iter().map(|id| json!({ "type": "user", "userId": id })).collect()
}
