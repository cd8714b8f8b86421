//! The bot, its webhook endpoint, and its plan.

use serde_json::json;
use url::Url;

use crate::line::validation::links::is_loopback;
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{Rule, optional, required};
use crate::model::timestamp::Timestamp;
use crate::sandbox::line::endpoints::{Visit, admit, body};
use crate::sandbox::line::errors;
use crate::sandbox::line::sender::Outcome;
use crate::sandbox::records::call::{Answer, Call};
use crate::sandbox::state::State;
use crate::sandbox::webhook::Webhook;

static ENDPOINT: Rule = Rule::Object(&[required("endpoint", Rule::Text(Units, 1, 500))]);
static TEST: Rule = Rule::Object(&[optional("endpoint", Rule::Text(Units, 1, 500))]);

/// The bot itself.
pub fn bot(state: &mut State, _: &Visit<'_>) -> Result<Answer, Answer> {
    Ok(Answer::json(200, &json!(state.kept().bot)))
}

/// Where webhooks go.
pub fn endpoint(state: &mut State, _: &Visit<'_>) -> Result<Answer, Answer> {
    let webhook = &state.kept().webhook;
    let endpoint = webhook.endpoint.as_ref().ok_or_else(errors::not_found)?;
    Ok(Answer::json(200, &json!({ "endpoint": endpoint, "active": webhook.active })))
}

/// From now on webhooks go elsewhere.
pub fn set_endpoint(state: &mut State, visit: &Visit<'_>) -> Result<Answer, Answer> {
    let body = body(visit.call, &ENDPOINT)?;
    let endpoint = checked(body["endpoint"].as_str().unwrap_or_default())?;
    state.kept_mut().webhook.endpoint = Some(endpoint);
    Ok(Answer::json(200, &json!({})))
}

/// The empty webhook with which an endpoint is tested.
pub fn test(state: &mut State, call: &Call, now: Timestamp) -> Result<Webhook, Answer> {
    admit(state, call, now)?;
    let mut webhook = Webhook::new(state.kept(), Vec::new());
    webhook.endpoint.clone_from(&state.kept().webhook.endpoint);
    if !call.body.is_empty()
        && let Some(endpoint) = body(call, &TEST)?["endpoint"].as_str()
    {
        webhook.endpoint = Some(checked(endpoint)?);
    }
    if webhook.endpoint.is_none() { Err(errors::not_found()) } else { Ok(webhook) }
}

/// What came of a test.
pub fn tested(outcome: &Outcome, now: Timestamp) -> Answer {
    let body = json!({
        "success": outcome.is_success(),
        "timestamp": format!("{}Z", now.to_string().replace(' ', "T")),
        "statusCode": outcome.status,
        "reason": outcome.reason,
        "detail": outcome.detail,
    });
    Answer::json(200, &body)
}

/// The month's plan.
pub fn quota(state: &mut State, _: &Visit<'_>) -> Result<Answer, Answer> {
    let body = match state.quota.value {
        Some(value) => json!({ "type": "limited", "value": value }),
        None => json!({ "type": "none" }),
    };
    Ok(Answer::json(200, &body))
}

/// What was used of the plan.
pub fn consumption(state: &mut State, _: &Visit<'_>) -> Result<Answer, Answer> {
    Ok(Answer::json(200, &json!({ "totalUsage": state.quota.used })))
}

/// LINE calls HTTPS only; the sandbox also calls its own machine without.
fn checked(endpoint: &str) -> Result<String, Answer> {
    let is_fit = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    match Url::parse(endpoint) {
        Ok(url) if is_fit(&url) => Ok(endpoint.to_owned()),
        _ => Err(errors::refusal(400, "Invalid webhook endpoint URL")),
    }
}
