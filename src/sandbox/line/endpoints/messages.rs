//! LINE's endpoints for sending messages: push, reply, multicast and validation.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::line::validation::problems::Detail;
use crate::line::validation::schema::ObjectRule;
use crate::line::validation::{MULTICAST, PUSH, REPLY, VALIDATE};
use crate::model::secret::Secret;
use crate::sandbox::line::endpoints::{RequestContext, body, retry_key, violation};
use crate::sandbox::line::errors;
use crate::sandbox::people::chats::ChatMessage;
use crate::sandbox::people::{Recipients, is_id};
use crate::sandbox::records::call::CallResponse;
use crate::sandbox::records::retry_keys::{AcceptedRequest, SentMessage};
use crate::sandbox::records::{Executed, ViolationKind, tokens};
use crate::sandbox::state::PlatformData;

const VALIDATED: [&str; 5] = ["reply", "push", "multicast", "narrowcast", "broadcast"];
/// Estimated memory of a parsed body, as a multiple of its size in bytes.
const PARSED_WEIGHT: usize = 4;
/// The kinds of messages that can be quoted.
const QUOTABLE: [&str; 7] = ["text", "textV2", "sticker", "image", "video", "template", "flex"];

/// A send request that passed all checks.
struct ValidatedSend<'a> {
    endpoint: &'static str,
    recipients: Vec<String>,
    reached: Vec<String>,
    retry_key: Option<Uuid>,
    body: Value,
    context: &'a RequestContext<'a>,
}

/// Sends to one person, group or room.
pub fn push(state: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let (retry_key, body) = parse_send(state, context, &PUSH)?;
    let to = body["to"].as_str().filter(|to| is_id(to, &['U', 'C', 'R']));
    let to = to.ok_or_else(|| errors::property("to"))?.to_owned();
    check_chat(state, Some(&to), &body)?;
    let people = match state.people().recipients(&to, context.now) {
        Recipients::Unknown => return Err(errors::undeliverable()),
        Recipients::Nobody => None,
        Recipients::People(people) => Some(people),
    };
    spend(state, people.unwrap_or(0))?;
    let reached = people.map(|_| to.clone()).into_iter().collect();
    let send = ValidatedSend { endpoint: "push", recipients: vec![to], reached, retry_key, body, context };
    Ok(sent_response(&execute(state, send)))
}

/// Sends to many people.
pub fn multicast(
    state: &mut PlatformData,
    context: &RequestContext<'_>,
) -> Result<CallResponse, CallResponse> {
    let (retry_key, body) = parse_send(state, context, &MULTICAST)?;
    let to = body["to"].as_array().into_iter().flatten();
    let recipients: Option<Vec<String>> =
        to.map(|to| to.as_str().filter(|to| is_id(to, &['U'])).map(str::to_owned)).collect();
    let recipients = recipients.ok_or_else(|| errors::property("to"))?;
    check_chat(state, None, &body)?;
    let reached: Vec<String> = recipients.iter().filter(|to| state.people().is_friend(to)).cloned().collect();
    spend(state, u64::try_from(reached.len()).unwrap_or(u64::MAX))?;
    execute(state, ValidatedSend { endpoint: "multicast", recipients, reached, retry_key, body, context });
    Ok(CallResponse::json(200, &json!({})))
}

/// Replies to an event, free of charge.
pub fn reply(state: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let body = body(context.call, &REPLY)?;
    let token = body["replyToken"].as_str().unwrap_or_default().to_owned();
    let chat = state.reply_tokens.chat(&token, context.now).ok_or_else(errors::reply_token)?.to_owned();
    check_chat(state, Some(&chat), &body)?;
    state.reply_tokens.consume(&token);
    let (recipients, reached) = (vec![chat.clone()], vec![chat]);
    let send = ValidatedSend { endpoint: "reply", recipients, reached, retry_key: None, body, context };
    Ok(sent_response(&execute(state, send)))
}

/// Validates messages without sending them.
pub fn validate(_: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    if !context.parameters.first().is_some_and(|kind| VALIDATED.contains(kind)) {
        return Err(errors::not_found());
    }
    body(context.call, &VALIDATE).map(|_| CallResponse::json(200, &json!({})))
}

/// Parses the retry key and the body of a send request. A key that was already accepted ends the request.
fn parse_send(
    state: &mut PlatformData,
    context: &RequestContext<'_>,
    rule: &ObjectRule,
) -> Result<(Option<Uuid>, Value), CallResponse> {
    let retry_key = retry_key(context.call)?;
    let accepted = retry_key.and_then(|key| state.retry_keys.accepted(key, context.now));
    if let Some(accepted) = accepted {
        return Err(replayed(accepted));
    }
    let body = body(context.call, rule)?;
    if retry_key.is_none() {
        violation(state, context.call, ViolationKind::RetryKeyMissing);
    }
    Ok((retry_key, body))
}

fn replayed(accepted: &AcceptedRequest) -> CallResponse {
    let mut body = json!({ "message": "The retry key is already accepted" });
    if !accepted.sent_messages.is_empty() {
        body["sentMessages"] = json!(accepted.sent_messages);
    }
    CallResponse::json(409, &body).with("x-line-accepted-request-id", &accepted.request_id)
}

/// Refuses messages that are not allowed in this chat, or in a multicast, which has no single chat.
fn check_chat(state: &PlatformData, chat: Option<&str>, body: &Value) -> Result<(), CallResponse> {
    let messages = body["messages"].as_array().into_iter().flatten().enumerate();
    let problems: Vec<Detail> = messages
        .filter_map(|(index, message)| {
            let (name, problem) = chat_problem(&state.saved().channel.secret, chat, message)?;
            Some(Detail { message: problem.to_owned(), property: format!("messages[{index}].{name}") })
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(errors::problems(&problems)) }
}

fn chat_problem(
    secret: &Secret,
    chat: Option<&str>,
    message: &Value,
) -> Option<(&'static str, &'static str)> {
    let is_group = chat.is_some_and(|chat| !chat.starts_with('U'));
    let quotes = |token: &str| chat.is_some_and(|chat| tokens::quotes(secret, chat, token));
    let mut substitutions = message["substitution"].as_object().into_iter().flatten();
    if message["quoteToken"].as_str().is_some_and(|token| !quotes(token)) {
        Some(("quoteToken", "invalid quote token"))
    } else if !is_group && substitutions.any(|(_, value)| value["type"] == "mention") {
        Some(("substitution", "mentions are for group chats and multi-person chats only"))
    } else if is_group && message["trackingId"].is_string() {
        Some(("trackingId", "not allowed in group chats and multi-person chats"))
    } else {
        None
    }
}

fn spend(state: &mut PlatformData, messages: u64) -> Result<(), CallResponse> {
    if state.quota.spend(messages) { Ok(()) } else { Err(errors::monthly_limit()) }
}

fn sent_response(messages: &[SentMessage]) -> CallResponse {
    CallResponse::json(200, &json!({ "sentMessages": messages }))
}

/// Shows the messages on the phones and records the request.
fn execute(state: &mut PlatformData, send: ValidatedSend<'_>) -> Vec<SentMessage> {
    let (call, now) = (send.context.call, send.context.now);
    let mut sent_messages = Vec::new();
    for message in send.body["messages"].as_array().into_iter().flatten() {
        let id = state.next_message_id(now);
        for chat in &send.reached {
            state.chats.show(chat, ChatMessage::new(&id, None, message, now));
        }
        sent_messages.push(sent_message(state, &send, message, id));
    }
    if let Some(key) = send.retry_key {
        let reported = if send.endpoint == "push" { sent_messages.clone() } else { Vec::new() };
        let accepted = AcceptedRequest { request_id: call.request_id.clone(), sent_messages: reported };
        state.retry_keys.accept(key, accepted);
    }
    let executed = Executed {
        request_id: call.request_id.clone(),
        endpoint: send.endpoint,
        recipients: send.recipients,
        reached: send.reached.len(),
        retry_key: call.retry_key.clone(),
        body: send.body,
        bytes: call.body.clone(),
        sent_messages: sent_messages.clone(),
        timestamp: now.as_milliseconds(),
    };
    state.executed.push(executed, call.body.len() * PARSED_WEIGHT);
    sent_messages
}

fn sent_message(state: &PlatformData, send: &ValidatedSend<'_>, message: &Value, id: String) -> SentMessage {
    let is_quotable = message["type"].as_str().is_some_and(|kind| QUOTABLE.contains(&kind));
    let chat = send.recipients.first().filter(|_| is_quotable);
    let quote_token = chat.map(|chat| tokens::quote(&state.saved().channel.secret, chat, &id));
    SentMessage { id, quote_token }
}
