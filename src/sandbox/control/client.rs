//! The control API from the other side: what the command line asks of a running sandbox.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::net::header::CONTENT_TYPE;
use crate::net::{self, Method, Request, RequestFailure, Settings};

/// Longer than the sandbox waits for the bot.
const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Lets a person, who is made when there is none of this name, write to the bot; tells on one line what came of it.
pub async fn say(line_url: &str, name: &str, text: &str) -> Result<String> {
    let client = net::Client::new(Settings::new(TIMEOUT, 1));
    let base = format!("{}/sandbox/users", line_url.trim_end_matches('/'));
    let person = post(&client, &base, &json!({ "name": name })).await?;
    let id = person["user"]["id"].as_str().unwrap_or_default();
    let said = post(&client, &format!("{base}/{id}/say"), &json!({ "text": text })).await?;
    let word = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    Ok(format!(
        "{name} wrote message {}; the webhook: {} ({})",
        word("message_id"),
        word("reason"),
        word("detail")
    ))
}

async fn post(client: &net::Client, url: &str, body: &Value) -> Result<Value> {
    let unavailable = |failure: RequestFailure| Error::LineUnavailable(format!("{url}: {failure}"));
    let request = Request::new().method(Method::POST).uri(url).header(CONTENT_TYPE, "application/json");
    let mut response = client.send(request, body.to_string(), TIMEOUT).await.map_err(unavailable)?;
    let answer = tokio::time::timeout(TIMEOUT, response.whole(ANSWER_BYTES_MAX)).await;
    let answer = answer.map_err(|_| Error::LineUnavailable(format!("{url}: no answer in time")))?;
    let answer: Value = serde_json::from_slice(&answer.map_err(unavailable)?).unwrap_or_default();
    if (200..300).contains(&response.status()) {
        return Ok(answer);
    }
    let message = answer["message"].as_str().unwrap_or("this is not a sandbox").to_owned();
    Err(Error::LineRefused { status: response.status(), message, account: None })
}
