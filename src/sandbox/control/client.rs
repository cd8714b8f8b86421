//! A client of the control API, which the command line uses to talk to a running sandbox.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::net::header::CONTENT_TYPE;
use crate::net::{self, Method, Request, RequestFailure, Settings};

/// Longer than the sandbox waits for the bot.
const TIMEOUT: Duration = Duration::from_secs(10);
const RESPONSE_BYTES_MAX: usize = 1024 * 1024;

/// Sends a text from a person to the bot and returns a one-line summary of the webhook's outcome. The person
/// is created if the name is unknown.
pub async fn say(line_url: &str, name: &str, text: &str) -> Result<String> {
    let client = net::Client::new(Settings::new(TIMEOUT, 1));
    let base = format!("{}/sandbox/users", line_url.trim_end_matches('/'));
    let person = post(&client, &base, &json!({ "name": name })).await?;
    let id = person["user"]["id"].as_str().unwrap_or_default();
    let sent = post(&client, &format!("{base}/{id}/say"), &json!({ "text": text })).await?;
    let field = |name: &str| sent[name].as_str().unwrap_or_default().to_owned();
    Ok(format!(
        "{name} wrote message {}; the webhook: {} ({})",
        field("message_id"),
        field("reason"),
        field("detail")
    ))
}

async fn post(client: &net::Client, url: &str, body: &Value) -> Result<Value> {
    let unavailable = |failure: RequestFailure| Error::LineUnavailable(format!("{url}: {failure}"));
    let request = Request::new().method(Method::POST).uri(url).header(CONTENT_TYPE, "application/json");
    let mut response = client.send(request, body.to_string(), TIMEOUT).await.map_err(unavailable)?;
    let body = tokio::time::timeout(TIMEOUT, response.read_all(RESPONSE_BYTES_MAX)).await;
    let body = body.map_err(|_| Error::LineUnavailable(format!("{url}: timed out")))?;
    let body: Value = serde_json::from_slice(&body.map_err(unavailable)?).unwrap_or_default();
    if (200..300).contains(&response.status()) {
        return Ok(body);
    }
    let message = body["message"].as_str().unwrap_or("this is not a sandbox").to_owned();
    Err(Error::LineRefused { status: response.status(), message, account: None })
}
