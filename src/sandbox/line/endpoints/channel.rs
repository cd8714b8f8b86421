//! The bot, its webhook endpoint, and its plan.

use serde_json::json;
use url::Url;

use crate::line::validation::links::is_loopback;
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{ObjectRule, optional, required};
use crate::model::timestamp::Timestamp;
use crate::sandbox::line::endpoints::{RequestContext, admit, body};
use crate::sandbox::line::errors;
use crate::sandbox::line::sender::AttemptResult;
use crate::sandbox::records::call::{CallAnswer, LineCall};
use crate::sandbox::state::PlatformData;
use crate::sandbox::webhook::EmittedWebhook;

static ENDPOINT: ObjectRule = ObjectRule::Object(&[required("endpoint", ObjectRule::Text(Units, 1, 500))]);
static TEST: ObjectRule = ObjectRule::Object(&[optional("endpoint", ObjectRule::Text(Units, 1, 500))]);

/// The bot itself.
pub fn bot(state: &mut PlatformData, _: &RequestContext<'_>) -> Result<CallAnswer, CallAnswer> {
    Ok(CallAnswer::json(200, &json!(state.saved().bot)))
}

/// Where webhooks go.
pub fn endpoint(state: &mut PlatformData, _: &RequestContext<'_>) -> Result<CallAnswer, CallAnswer> {
    let webhook = &state.saved().webhook;
    let endpoint = webhook.endpoint.as_ref().ok_or_else(errors::not_found)?;
    Ok(CallAnswer::json(200, &json!({ "endpoint": endpoint, "active": webhook.active })))
}

/// From now on webhooks go elsewhere.
pub fn set_endpoint(
    state: &mut PlatformData,
    context: &RequestContext<'_>,
) -> Result<CallAnswer, CallAnswer> {
    let body = body(context.call, &ENDPOINT)?;
    let endpoint = checked(body["endpoint"].as_str().unwrap_or_default())?;
    state.saved_mut().webhook.endpoint = Some(endpoint);
    Ok(CallAnswer::json(200, &json!({})))
}

/// The empty webhook with which an endpoint is tested.
pub fn test(state: &mut PlatformData, call: &LineCall, now: Timestamp) -> Result<EmittedWebhook, CallAnswer> {
    admit(state, call, now)?;
    let mut webhook = EmittedWebhook::new(state.saved(), Vec::new());
    webhook.endpoint.clone_from(&state.saved().webhook.endpoint);
    if !call.body.is_empty()
        && let Some(endpoint) = body(call, &TEST)?["endpoint"].as_str()
    {
        webhook.endpoint = Some(checked(endpoint)?);
    }
    if webhook.endpoint.is_none() { Err(errors::not_found()) } else { Ok(webhook) }
}

/// What came of a test.
pub fn tested(outcome: &AttemptResult, now: Timestamp) -> CallAnswer {
    let body = json!({
        "success": outcome.is_success(),
        "timestamp": format!("{}Z", now.to_string().replace(' ', "T")),
        "statusCode": outcome.status,
        "reason": outcome.reason,
        "detail": outcome.detail,
    });
    CallAnswer::json(200, &body)
}

/// The month's plan.
pub fn quota(state: &mut PlatformData, _: &RequestContext<'_>) -> Result<CallAnswer, CallAnswer> {
    let body = match state.quota.value {
        Some(value) => json!({ "type": "limited", "value": value }),
        None => json!({ "type": "none" }),
    };
    Ok(CallAnswer::json(200, &body))
}

/// What was used of the plan.
pub fn consumption(state: &mut PlatformData, _: &RequestContext<'_>) -> Result<CallAnswer, CallAnswer> {
    Ok(CallAnswer::json(200, &json!({ "totalUsage": state.quota.used })))
}

/// LINE calls HTTPS only; the sandbox also calls its own machine without.
fn checked(endpoint: &str) -> Result<String, CallAnswer> {
    let is_fit = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    match Url::parse(endpoint) {
        Ok(url) if is_fit(&url) => Ok(endpoint.to_owned()),
        _ => Err(errors::refusal(400, "Invalid webhook endpoint URL")),
    }
}
