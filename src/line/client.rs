//! The HTTP client for LINE's API.

use std::time::Duration;

use actix_web::web::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use url::Url;

use crate::config::section::LineSettings;
use crate::error::{Error, Result};
use crate::line::outcome::LineResponse;
use crate::line::responses::{self, WebhookEndpoint, WebhookTest};
use crate::model::accounts::account::{Bot, SuspensionReason};
use crate::model::chats::chat::{Chat, ChatKind, LineId};
use crate::model::chats::conversation::LineProfile;
use crate::model::delivery::PushOutcome;
use crate::model::files::fetch::FetchError;
use crate::model::id::RetryKey;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::net::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use crate::net::{self, FailureKind, Method, Request, RequestFailure, Response, Settings};

/// Maximum size of a response body; LINE's are far smaller.
const RESPONSE_BYTES_MAX: usize = 256 * 1_024;

/// How long an idle connection to LINE stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// LINE's endpoint for the webhook URL of a channel.
const WEBHOOK_PATH: &str = "/v2/bot/channel/webhook/endpoint";

/// Calls LINE's API for any account; each call takes the token to use.
#[derive(Clone)]
pub struct LineClient {
    http: net::Client,
    api_base: String,
    data_base: String,
    timeout: Duration,
}

impl LineClient {
    /// A client with the configured base URLs and timeouts, for up to `connections` concurrent requests.
    pub fn new(settings: &LineSettings, connections: usize) -> Self {
        let (api_base, data_base, timeout) =
            (base(&settings.api_base), base(&settings.data_base), settings.timeout);
        let settings = Settings { idle: KEEP_ALIVE, ..Settings::new(settings.connect_timeout, connections) };
        Self { http: net::Client::new(settings), api_base, data_base, timeout }
    }

    /// Pushes exactly these bytes and returns the outcome for the message.
    pub async fn push(&self, token: &Secret, body: &[u8], retry_key: RetryKey) -> PushOutcome {
        let request = self
            .request(Method::POST, "/v2/bot/message/push", token)
            .header(CONTENT_TYPE, "application/json")
            .header("x-line-retry-key", retry_key.to_string());
        match self.send(request, body).await {
            Ok(response) => self.resolve_limit(token, &response).await,
            Err(failure) => outcome_without_response(failure),
        }
    }

    /// The time of LINE's clock in whole seconds, or `None` if the `Date` header is missing or invalid. Needs
    /// no token: every response of LINE's has the header, including errors.
    pub async fn clock(&self) -> Result<Option<Timestamp>> {
        let request = self.anonymous(Method::GET, "/v2/bot/info");
        let response = self.http.send(request, "", self.timeout).await.map_err(unavailable)?;
        Ok(response.header(DATE).and_then(Timestamp::from_http_date))
    }

    /// The bot that a token belongs to, which also is the best check of a token that LINE offers.
    pub async fn bot(&self, token: &Secret) -> Result<Bot> {
        Ok(responses::bot(&self.call_json(self.request(Method::GET, "/v2/bot/info", token), b"").await?))
    }

    /// Sets the webhook URL of the channel.
    pub async fn set_webhook(&self, token: &Secret, endpoint: &str) -> Result<()> {
        let body = serde_json::json!({ "endpoint": endpoint }).to_string();
        let request = self.request(Method::PUT, WEBHOOK_PATH, token);
        let request = request.header(CONTENT_TYPE, "application/json");
        self.call(request, body.as_bytes()).await.map(drop)
    }

    /// The webhook URL that LINE has for the channel.
    pub async fn webhook(&self, token: &Secret) -> Result<WebhookEndpoint> {
        Ok(responses::webhook_endpoint(
            &self.call_json(self.request(Method::GET, WEBHOOK_PATH, token), b"").await?,
        ))
    }

    /// Makes LINE send a webhook without events now.
    pub async fn test_webhook(&self, token: &Secret) -> Result<WebhookTest> {
        let request = self.request(Method::POST, "/v2/bot/channel/webhook/test", token);
        let request = request.header(CONTENT_TYPE, "application/json");
        Ok(responses::webhook_test(&self.call_json(request, b"{}").await?))
    }

    /// Name and picture of a user, a group or a member, and the member count of a group or room. Fails with
    /// `LineRefused` and status 404 if LINE does not disclose it.
    pub async fn profile(&self, token: &Secret, chat: &Chat, target: &LineId) -> Result<LineProfile> {
        let (chat_id, target_id) = (chat.id.as_str(), target.as_str());
        let mut member_count = None;
        if chat.kind != ChatKind::User && chat.id == *target {
            member_count = self.member_count(token, chat).await?;
        }
        let path = match chat.kind {
            ChatKind::User => format!("/v2/bot/profile/{target_id}"),
            ChatKind::Group if chat.id == *target => format!("/v2/bot/group/{chat_id}/summary"),
            ChatKind::Group => format!("/v2/bot/group/{chat_id}/member/{target_id}"),
            ChatKind::Room if chat.id == *target => {
                return Ok(LineProfile { name: None, picture_url: None, member_count });
            }
            ChatKind::Room => format!("/v2/bot/room/{chat_id}/member/{target_id}"),
        };
        let response = self.call_json(self.request(Method::GET, &path, token), b"").await?;
        Ok(LineProfile { member_count, ..responses::profile(&response) })
    }

    /// The number of people in a group or room, not counting the bot; `None` if the response does not have
    /// it.
    async fn member_count(&self, token: &Secret, chat: &Chat) -> Result<Option<u32>> {
        let kind = if chat.kind == ChatKind::Room { "room" } else { "group" };
        let path = format!("/v2/bot/{kind}/{}/members/count", chat.id.as_str());
        let response = self.call_json(self.request(Method::GET, &path, token), b"").await?;
        Ok(responses::member_count(&response))
    }

    /// LINE may change its error texts, so a 429 with an unknown text is checked against the quota.
    async fn resolve_limit(&self, token: &Secret, response: &LineResponse) -> PushOutcome {
        let is_used_up = async || self.quota(token).await.is_ok_and(|quota| quota.remaining() == Some(0));
        if response.is_unknown_limit() && is_used_up().await {
            return PushOutcome::Suspended(SuspensionReason::Quota, response.message());
        }
        response.outcome()
    }

    /// A request to this path with the token of an account.
    pub(super) fn request(&self, method: Method, path: &str, token: &Secret) -> Request {
        authorized(self.anonymous(method, path), token)
    }

    /// A request to this path without a token.
    pub(super) fn anonymous(&self, method: Method, path: &str) -> Request {
        Request::new().method(method).uri(format!("{}{path}", self.api_base))
    }

    /// Opens a response of LINE's content host; the body is not read yet.
    pub(super) async fn open_content(&self, token: &Secret, path: &str) -> Result<Response, FetchError> {
        let request = authorized(Request::new().uri(format!("{}{path}", self.data_base)), token);
        let sent = self.http.send(request, "", self.timeout).await;
        sent.map_err(|failure| FetchError::NotYet(failure.message))
    }

    /// Reads the body of a response that has no content, such as an error.
    pub(super) async fn read_response(&self, mut response: Response) -> LineResponse {
        let body = tokio::time::timeout(self.timeout, response.read_all(RESPONSE_BYTES_MAX)).await;
        // Without a body the status is enough.
        line_response(&response, body.ok().and_then(Result::ok).unwrap_or_default())
    }

    /// Sends an idempotent request whose response is a JSON object.
    pub(super) async fn call_json(&self, request: Request, body: &[u8]) -> Result<Value> {
        let response = self.call(request, body).await?.value();
        let unreadable =
            || Error::LineUnavailable("its response is unreadable: it is not a JSON object".to_owned());
        response.is_object().then_some(response).ok_or_else(unreadable)
    }

    /// Sends an idempotent request; every status but 2xx is an error.
    pub(super) async fn call(&self, request: Request, body: &[u8]) -> Result<LineResponse> {
        let response = self.send(request.repeatable(), body).await.map_err(unavailable)?;
        match response.status {
            200..=299 => Ok(response),
            500.. => Err(Error::LineUnavailable(response.message())),
            status => Err(Error::LineRefused { status, message: response.message(), account: None }),
        }
    }

    /// Sends one request and reads the whole response within the configured timeout.
    pub(super) async fn send(&self, request: Request, body: &[u8]) -> Result<LineResponse, RequestFailure> {
        let request_and_read = async {
            let mut response = self.http.send(request, body.to_vec(), self.timeout).await?;
            let body = match response.read_all(RESPONSE_BYTES_MAX).await {
                // The status is enough; callers that need the body find it empty.
                Err(failure) if failure.kind == FailureKind::Unreadable => Bytes::new(),
                body => body?,
            };
            check_complete(&response, &body)?;
            Ok(line_response(&response, body))
        };
        let late = |_| RequestFailure::new(FailureKind::Timeout, "timed out");
        tokio::time::timeout(self.timeout, request_and_read).await.map_err(late)?
    }
}

/// The error for a response that lacks this property.
pub(super) fn missing(name: &str) -> Error {
    Error::LineUnavailable(format!("its response is unreadable: it has no `{name}`"))
}

/// The outcome of a send without a response.
pub(super) fn outcome_without_response(failure: RequestFailure) -> PushOutcome {
    let timed_out = failure.timed_out();
    if failure.is_unsent() {
        return PushOutcome::NotSent(failure.message);
    }
    PushOutcome::Ambiguous { timed_out, message: failure.message }
}

/// Checks a success whose body ends with the connection: all of LINE's successes are JSON, so one that does
/// not parse was truncated. For errors the status is enough.
fn check_complete(response: &Response, body: &[u8]) -> Result<(), RequestFailure> {
    let is_complete = !response.ends_by_closing()
        || !(200..300).contains(&response.status())
        || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if is_complete {
        Ok(())
    } else {
        Err(RequestFailure::new(FailureKind::Broken, "truncated response: its body is not JSON"))
    }
}

fn unavailable(failure: RequestFailure) -> Error {
    Error::LineUnavailable(failure.message)
}

fn authorized(request: Request, token: &Secret) -> Request {
    request.header(AUTHORIZATION, format!("Bearer {}", token.expose()))
}

fn line_response(response: &Response, body: Bytes) -> LineResponse {
    let text = |name| response.header(name).map(str::to_owned);
    LineResponse {
        status: response.status(),
        request_id: text("x-line-request-id"),
        accepted_request_id: text("x-line-accepted-request-id"),
        body,
    }
}

/// LINE may not understand a path that begins with two slashes.
fn base(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
