//! LINE's endpoints for profiles and groups, as far as the bot may see them.

use serde_json::{Value, json};

use crate::sandbox::line::endpoints::RequestContext;
use crate::sandbox::line::{errors, events};
use crate::sandbox::people::{Group, GroupKind, User, is_id};
use crate::sandbox::records::call::CallResponse;
use crate::sandbox::state::PlatformData;

/// Maximum number of member ids on a page.
const MEMBER_IDS_MAX: usize = 100;

/// The profile of a person who has a chat with the bot.
pub fn user(state: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let user = known_user(state, context.parameters[0])?;
    if !user.is_visible() {
        return Err(errors::not_found());
    }
    let mut profile = short_profile(user);
    let more = [("statusMessage", &user.status_message), ("language", &user.language)];
    for (name, value) in more.into_iter().filter(|(_, value)| value.is_some()) {
        profile[name] = json!(value);
    }
    Ok(CallResponse::json(200, &profile))
}

/// The summary of a group; LINE discloses nothing about rooms.
pub fn summary(state: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let group = group(state, context)?;
    let mut summary = json!({ "groupId": group.id, "groupName": group.name });
    if let Some(url) = &group.picture_url {
        summary["pictureUrl"] = json!(url);
    }
    Ok(CallResponse::json(200, &summary))
}

/// The profile of a member of a group or room, friend or not.
pub fn member(state: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let group = group(state, context)?;
    let user = known_user(state, context.parameters[1])?;
    if !group.members.contains(&user.id) {
        return Err(errors::not_found());
    }
    Ok(CallResponse::json(200, &short_profile(user)))
}

/// The number of people in a group or room.
pub fn member_count(
    state: &mut PlatformData,
    context: &RequestContext<'_>,
) -> Result<CallResponse, CallResponse> {
    let group = group(state, context)?;
    Ok(CallResponse::json(200, &json!({ "count": group.members.len() })))
}

/// The members of a group or room, which only verified accounts may list.
pub fn member_ids(
    state: &mut PlatformData,
    context: &RequestContext<'_>,
) -> Result<CallResponse, CallResponse> {
    let group = group(state, context)?;
    let mut queries = url::form_urlencoded::parse(context.call.query.as_bytes());
    let start = queries.find(|(name, _)| name == "start").map_or(Ok(0), |(_, start)| start.parse::<usize>());
    let start = start.map_err(|_| errors::parameter("start"))?;
    let page: Vec<&String> = group.members.iter().skip(start).take(MEMBER_IDS_MAX).collect();
    let mut body = json!({ "memberIds": page });
    if start.saturating_add(MEMBER_IDS_MAX) < group.members.len() {
        body["next"] = json!((start + MEMBER_IDS_MAX).to_string());
    }
    Ok(CallResponse::json(200, &body))
}

/// The bot leaves a group or room, and gets the event for it.
pub fn leave(state: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let id = group(state, context)?.id.clone();
    let emitted = events::leave(state, &id, context.now);
    state.pending_webhooks.extend(emitted.map(|emitted| emitted.webhook));
    Ok(CallResponse::json(200, &json!({})))
}

fn known_user<'a>(state: &'a PlatformData, id: &str) -> Result<&'a User, CallResponse> {
    if !is_id(id, &['U']) {
        return Err(errors::parameter("userId"));
    }
    state.people().user(id).ok_or_else(errors::not_found)
}

fn group<'a>(state: &'a PlatformData, context: &RequestContext<'_>) -> Result<&'a Group, CallResponse> {
    let id = context.parameters[0];
    let (kind, letter, name) = if context.call.path.starts_with("/v2/bot/group/") {
        (GroupKind::Group, 'C', "groupId")
    } else {
        (GroupKind::Room, 'R', "roomId")
    };
    if !is_id(id, &[letter]) {
        return Err(errors::parameter(name));
    }
    let group = state.people().group(id).filter(|group| group.has_bot && group.kind == kind);
    group.ok_or_else(errors::not_found)
}

fn short_profile(user: &User) -> Value {
    let mut profile = json!({ "displayName": user.name, "userId": user.id });
    if let Some(url) = &user.picture_url {
        profile["pictureUrl"] = json!(url);
    }
    profile
}
