//! LINE's endpoint that issues channel access tokens with a lifetime of 15 minutes.

use std::collections::HashMap;

use serde_json::json;

use crate::sandbox::line::endpoints::RequestContext;
use crate::sandbox::line::errors;
use crate::sandbox::records::access_tokens::LIFETIME;
use crate::sandbox::records::call::CallResponse;
use crate::sandbox::state::PlatformData;

/// Issues a token for the channel's id and secret.
pub fn issue(state: &mut PlatformData, context: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let content_type = context.call.content_type.as_deref().unwrap_or_default();
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return Err(errors::refusal(415, errors::status_text(415)));
    }
    let form: HashMap<_, _> = url::form_urlencoded::parse(&context.call.body).into_owned().collect();
    let value = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if value("grant_type") != "client_credentials" {
        return Err(oauth_error("unsupported_grant_type", "unsupported grant_type"));
    }
    let channel = &state.saved().channel;
    if value("client_id") != channel.id || value("client_secret") != channel.secret.expose() {
        return Err(oauth_error("invalid_client", "invalid client_id or client_secret"));
    }
    let token = state.stateless_tokens.issue(context.now);
    let body = json!({ "token_type": "Bearer", "access_token": token, "expires_in": LIFETIME.as_secs() });
    Ok(CallResponse::json(200, &body))
}

fn oauth_error(error: &str, description: &str) -> CallResponse {
    CallResponse::json(400, &json!({ "error": error, "error_description": description }))
}
