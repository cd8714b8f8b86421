//! LINE's endpoints for the bot, its webhook settings and its quota.

use serde_json::json;
use url::Url;

use crate::line::validation::links::is_loopback;
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{ObjectRule, optional, required};
use crate::model::timestamp::Timestamp;
use crate::sandbox::line::endpoints::{RequestContext, admit, body};
use crate::sandbox::line::errors;
use crate::sandbox::line::sender::AttemptResult;
use crate::sandbox::records::call::{CallResponse, LineCall};
use crate::sandbox::state::PlatformData;
use crate::sandbox::webhook::EmittedWebhook;

static ENDPOINT: ObjectRule = ObjectRule::Object(&[required("endpoint", ObjectRule::Text(Units, 1, 500))]);
static TEST: ObjectRule = ObjectRule::Object(&[optional("endpoint", ObjectRule::Text(Units, 1, 500))]);

/// The bot's profile.
pub fn bot(state: &mut PlatformData, _: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    Ok(CallResponse::json(200, &json!(state.saved().bot)))
}

/// The webhook settings.
pub fn endpoint(state: &mut PlatformData, _: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let webhook = &state.saved().webhook;
    let endpoint = webhook.endpoint.as_ref().ok_or_else(errors::not_found)?;
    Ok(CallResponse::json(200, &json!({ "endpoint": endpoint, "active": webhook.active })))
}

/// Sets the webhook URL.
pub fn set_endpoint(
    state: &mut PlatformData,
    context: &RequestContext<'_>,
) -> Result<CallResponse, CallResponse> {
    let body = body(context.call, &ENDPOINT)?;
    let endpoint = checked_url(body["endpoint"].as_str().unwrap_or_default())?;
    state.saved_mut().webhook.endpoint = Some(endpoint);
    Ok(CallResponse::json(200, &json!({})))
}

/// Checks a webhook test request and builds the empty webhook to send.
pub fn test(
    state: &mut PlatformData,
    call: &LineCall,
    now: Timestamp,
) -> Result<EmittedWebhook, CallResponse> {
    admit(state, call, now)?;
    let mut webhook = EmittedWebhook::new(state.saved(), Vec::new());
    webhook.endpoint.clone_from(&state.saved().webhook.endpoint);
    if !call.body.is_empty()
        && let Some(endpoint) = body(call, &TEST)?["endpoint"].as_str()
    {
        webhook.endpoint = Some(checked_url(endpoint)?);
    }
    if webhook.endpoint.is_none() { Err(errors::not_found()) } else { Ok(webhook) }
}

/// The response to a webhook test.
pub fn tested(outcome: &AttemptResult, now: Timestamp) -> CallResponse {
    let body = json!({
        "success": outcome.is_success(),
        "timestamp": format!("{}Z", now.to_string().replace(' ', "T")),
        "statusCode": outcome.status,
        "reason": outcome.reason,
        "detail": outcome.detail,
    });
    CallResponse::json(200, &body)
}

/// The monthly quota.
pub fn quota(state: &mut PlatformData, _: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let body = match state.quota.value {
        Some(value) => json!({ "type": "limited", "value": value }),
        None => json!({ "type": "none" }),
    };
    Ok(CallResponse::json(200, &body))
}

/// The used part of the quota.
pub fn consumption(state: &mut PlatformData, _: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    Ok(CallResponse::json(200, &json!({ "totalUsage": state.quota.used })))
}

/// LINE accepts HTTPS only; the sandbox also accepts HTTP on loopback addresses.
fn checked_url(endpoint: &str) -> Result<String, CallResponse> {
    let is_allowed = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    match Url::parse(endpoint) {
        Ok(url) if is_allowed(&url) => Ok(endpoint.to_owned()),
        _ => Err(errors::refusal(400, "Invalid webhook endpoint URL")),
    }
}
