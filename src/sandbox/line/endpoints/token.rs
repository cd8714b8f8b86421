//! Channel access tokens that live for fifteen minutes.

use std::collections::HashMap;

use serde_json::json;

use crate::sandbox::line::endpoints::RequestContext;
use crate::sandbox::line::errors;
use crate::sandbox::records::access_tokens::LIFE;
use crate::sandbox::records::call::CallAnswer;
use crate::sandbox::state::PlatformData;

/// Issues a token for the channel's id and secret.
pub fn issue(state: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallAnswer, CallAnswer> {
    let content_type = context.call.content_type.as_deref().unwrap_or_default();
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return Err(errors::refusal(415, errors::words(415)));
    }
    let form: HashMap<_, _> = url::form_urlencoded::parse(&context.call.body).into_owned().collect();
    let value = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if value("grant_type") != "client_credentials" {
        return Err(oauth("unsupported_grant_type", "unsupported grant_type"));
    }
    let channel = &state.saved().channel;
    if value("client_id") != channel.id || value("client_secret") != channel.secret.expose() {
        return Err(oauth("invalid_client", "invalid client_id or client_secret"));
    }
    let token = state.stateless_tokens.issue(context.now);
    let body = json!({ "token_type": "Bearer", "access_token": token, "expires_in": LIFE.as_secs() });
    Ok(CallAnswer::json(200, &body))
}

fn oauth(error: &str, description: &str) -> CallAnswer {
    CallAnswer::json(400, &json!({ "error": error, "error_description": description }))
}
