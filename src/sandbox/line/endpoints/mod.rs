//! LINE's API: the table of endpoints, and the checks that all of them share.

pub mod channel;
pub mod chat;
pub mod content;
pub mod messages;
pub mod profiles;
#[cfg(test)]
mod tests;
pub mod token;

use serde_json::Value;
use uuid::Uuid;

use crate::line::validation::problems;
use crate::line::validation::schema::ObjectRule;
use crate::model::timestamp::Timestamp;
use crate::sandbox::line::errors;
use crate::sandbox::records::call::{CallResponse, LineCall};
use crate::sandbox::records::{Violation, ViolationKind};
use crate::sandbox::state::PlatformData;

/// LINE's maximum size of a request body.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The handler of an endpoint; errors are responses too.
type EndpointHandler = fn(&mut PlatformData, &RequestContext<'_>) -> Result<CallResponse, CallResponse>;

/// A request to an endpoint.
#[derive(Debug)]
pub struct RequestContext<'a> {
    /// The request.
    pub call: &'a LineCall,
    /// The values of the path parameters, in order.
    pub parameters: Vec<&'a str>,
    /// The time of the request.
    pub now: Timestamp,
}

/// The one endpoint that calls another server; `http.rs` handles it.
pub const WEBHOOK_TEST: &str = "/v2/bot/channel/webhook/test";
const TOKEN: &str = "/oauth2/v3/token";

const ENDPOINTS: &[(&str, &str, EndpointHandler)] = &[
    ("POST", TOKEN, token::issue),
    ("GET", "/v2/bot/info", channel::bot),
    ("GET", "/v2/bot/channel/webhook/endpoint", channel::endpoint),
    ("PUT", "/v2/bot/channel/webhook/endpoint", channel::set_endpoint),
    ("POST", "/v2/bot/message/push", messages::push),
    ("POST", "/v2/bot/message/reply", messages::reply),
    ("POST", "/v2/bot/message/multicast", messages::multicast),
    ("POST", "/v2/bot/message/validate/{kind}", messages::validate),
    ("GET", "/v2/bot/message/quota", channel::quota),
    ("GET", "/v2/bot/message/quota/consumption", channel::consumption),
    ("GET", "/v2/bot/message/{id}/content", content::content),
    ("GET", "/v2/bot/message/{id}/content/transcoding", content::transcoding),
    ("GET", "/v2/bot/message/{id}/content/preview", content::preview),
    ("POST", "/v2/bot/chat/loading/start", chat::start_loading),
    ("POST", "/v2/bot/chat/markAsRead", chat::mark_as_read),
    ("GET", "/v2/bot/profile/{user}", profiles::user),
    ("GET", "/v2/bot/group/{group}/summary", profiles::summary),
    ("GET", "/v2/bot/{group,room}/{group}/member/{user}", profiles::member),
    ("GET", "/v2/bot/{group,room}/{group}/members/count", profiles::member_count),
    ("GET", "/v2/bot/{group,room}/{group}/members/ids", profiles::member_ids),
    ("POST", "/v2/bot/{group,room}/{group}/leave", profiles::leave),
];

/// The endpoints for which LINE accepts a retry key.
const RETRYABLE: [&str; 4] = [
    "/v2/bot/message/push",
    "/v2/bot/message/multicast",
    "/v2/bot/message/narrowcast",
    "/v2/bot/message/broadcast",
];

/// LINE's response to a request.
pub fn respond(state: &mut PlatformData, call: &LineCall, now: Timestamp) -> CallResponse {
    dispatch(state, call, now).unwrap_or_else(|refusal| refusal)
}

/// Checks the channel access token, and that a retry key is sent only to endpoints that accept one.
pub fn admit(state: &mut PlatformData, call: &LineCall, now: Timestamp) -> Result<(), CallResponse> {
    let token = call.bearer().ok_or_else(|| errors::unauthenticated("missing token"))?;
    let is_valid =
        state.saved().channel.token.expose() == token || state.stateless_tokens.is_valid(token, now);
    if !is_valid {
        return Err(errors::unauthenticated("invalid token"));
    }
    if call.retry_key.is_some() && !RETRYABLE.contains(&call.path.as_str()) {
        violation(state, call, ViolationKind::RetryKeyMisplaced);
        return Err(errors::refusal(400, "The 'X-Line-Retry-Key' header is not supported by this endpoint"));
    }
    Ok(())
}

/// The retry key of the request, if it has one.
pub fn retry_key(call: &LineCall) -> Result<Option<Uuid>, CallResponse> {
    let Some(text) = &call.retry_key else { return Ok(None) };
    let key =
        Uuid::try_parse(text).ok().filter(|key| key.hyphenated().to_string() == text.to_ascii_lowercase());
    key.map(Some).ok_or_else(|| errors::refusal(400, "The value of the 'X-Line-Retry-Key' header is invalid"))
}

/// The body as JSON, validated by this rule.
pub fn body(call: &LineCall, rule: &ObjectRule) -> Result<Value, CallResponse> {
    if call.body.len() > BODY_BYTES_MAX {
        return Err(errors::refusal(413, errors::status_text(413)));
    }
    let content_type = call.content_type.as_deref().unwrap_or_default();
    if !content_type
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    {
        return Err(errors::refusal(415, errors::status_text(415)));
    }
    let body: Value = serde_json::from_slice(&call.body).map_err(|_| errors::not_json())?;
    let problems = problems(rule, &body);
    if problems.is_empty() { Ok(body) } else { Err(errors::problems(&problems)) }
}

/// Records a violation by the bot.
pub fn violation(state: &mut PlatformData, call: &LineCall, kind: ViolationKind) {
    let violation = Violation {
        kind,
        request_id: call.request_id.clone(),
        path: call.path.clone(),
        retry_key: call.retry_key.clone(),
    };
    state.violations.push(violation, 0);
}

fn dispatch(state: &mut PlatformData, call: &LineCall, now: Timestamp) -> Result<CallResponse, CallResponse> {
    let segments: Vec<&str> = call.path.split('/').collect();
    let found = ENDPOINTS.iter().find_map(|(method, path, operation)| {
        let parameters = (*method == call.method).then(|| parameters(path, &segments))??;
        Some((path, operation, parameters))
    });
    let (path, operation, parameters) = found.ok_or_else(errors::not_found)?;
    if *path != TOKEN {
        admit(state, call, now)?;
    }
    operation(state, &RequestContext { call, parameters, now })
}

/// The values of the path parameters; `None` if the path does not match.
fn parameters<'a>(path: &str, segments: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut parameters = Vec::new();
    let expected: Vec<&str> = path.split('/').collect();
    if expected.len() != segments.len() {
        return None;
    }
    for (expected, segment) in expected.iter().zip(segments) {
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            None if expected == segment => {}
            Some(choices) if choices.contains(',') && choices.split(',').any(|choice| choice == *segment) => {
            }
            Some(name) if !name.contains(',') && !segment.is_empty() => parameters.push(*segment),
            _ => return None,
        }
    }
    Some(parameters)
}
