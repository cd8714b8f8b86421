//! LINE's refusals, in LINE's words.

use serde_json::json;

use crate::line::validation::problems::Problems;
use crate::sandbox::records::call::CallAnswer;

/// A refusal with this status and text.
pub fn refusal(status: u16, message: &str) -> CallAnswer {
    CallAnswer::json(status, &json!({ "message": message }))
}

/// The message objects break rules.
pub fn problems(problems: &Problems) -> CallAnswer {
    let message = format!("The request body has {} error(s)", problems.len());
    CallAnswer::json(400, &json!({ "message": message, "details": problems }))
}

/// A property has not the form that it must have.
pub fn property(name: &str) -> CallAnswer {
    refusal(400, &format!("The property, '{name}', in the request body is invalid"))
}

/// A value in the path has not the form that it must have.
pub fn parameter(name: &str) -> CallAnswer {
    refusal(400, &format!("The value for the '{name}' parameter is invalid"))
}

/// The body is not JSON.
pub fn not_json() -> CallAnswer {
    refusal(400, "The request body could not be parsed as JSON")
}

/// The recipient is unknown to this bot.
pub fn undeliverable() -> CallAnswer {
    refusal(400, "Failed to send messages")
}

/// The token is used, too old, or was never issued.
pub fn reply_token() -> CallAnswer {
    refusal(400, "Invalid reply token")
}

/// There is no such path, or nothing that the bot may see.
pub fn not_found() -> CallAnswer {
    refusal(404, "Not found")
}

/// The plan is used up.
pub fn monthly_limit() -> CallAnswer {
    refusal(429, "You have reached your monthly limit.")
}

/// The token in the header is missing or wrong.
pub fn unauthenticated(reason: &str) -> CallAnswer {
    let message = format!(
        "Authentication failed due to the following reason: {reason}. \
         Confirm that the access token in the authorization header is valid."
    );
    refusal(401, &message).with("www-authenticate", "Bearer")
}

/// The words that LINE has for a status.
pub fn words(status: u16) -> &'static str {
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
