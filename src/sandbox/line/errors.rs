//! LINE's error responses, in LINE's wording.

use serde_json::json;

use crate::line::validation::problems::Problems;
use crate::sandbox::records::call::CallResponse;

/// An error response with this status and text.
pub fn refusal(status: u16, message: &str) -> CallResponse {
    CallResponse::json(status, &json!({ "message": message }))
}

/// The message objects are invalid.
pub fn problems(problems: &Problems) -> CallResponse {
    let message = format!("The request body has {} error(s)", problems.len());
    CallResponse::json(400, &json!({ "message": message, "details": problems }))
}

/// A property is malformed.
pub fn property(name: &str) -> CallResponse {
    refusal(400, &format!("The property, '{name}', in the request body is invalid"))
}

/// A path or query parameter is malformed.
pub fn parameter(name: &str) -> CallResponse {
    refusal(400, &format!("The value for the '{name}' parameter is invalid"))
}

/// The body is not JSON.
pub fn not_json() -> CallResponse {
    refusal(400, "The request body could not be parsed as JSON")
}

/// The recipient is unknown to this bot.
pub fn undeliverable() -> CallResponse {
    refusal(400, "Failed to send messages")
}

/// The token was used, has expired, or was never issued.
pub fn reply_token() -> CallResponse {
    refusal(400, "Invalid reply token")
}

/// There is no such path, or the bot may not see the resource.
pub fn not_found() -> CallResponse {
    refusal(404, "Not found")
}

/// The quota is used up.
pub fn monthly_limit() -> CallResponse {
    refusal(429, "You have reached your monthly limit.")
}

/// The token in the header is missing or wrong.
pub fn unauthenticated(reason: &str) -> CallResponse {
    let message = format!(
        "Authentication failed due to the following reason: {reason}. \
         Confirm that the access token in the authorization header is valid."
    );
    refusal(401, &message).with("www-authenticate", "Bearer")
}

/// LINE's text for a status.
pub fn status_text(status: u16) -> &'static str {
    match status {
        400 => "The request body could not be processed",
        401 => "Authentication failed due to the following reason: invalid token",
        403 => "Access to this API is not available for your account",
        404 => "Not found",
        413 => "Request body is too large",
        415 => "Unsupported media type",
        429 => "The API rate limit has been exceeded. Try again later.",
        _ => "Internal server error",
    }
}
