//! The client that speaks to LINE.

use std::time::Duration;

use actix_web::web::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;
use url::Url;

use crate::config::section::LineSettings;
use crate::error::{Error, Result};
use crate::line::answer::LineAnswer;
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

/// The longest answer that is read; LINE's are far shorter.
const ANSWER_BYTES_MAX: usize = 256 * 1_024;

/// How long an idle connection to LINE is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where LINE keeps the address of the webhook.
const WEBHOOK_PATH: &str = "/v2/bot/channel/webhook/endpoint";

/// Speaks to LINE's API for any account; each call is given the token to use.
#[derive(Clone)]
pub struct LineClient {
    http: net::Client,
    api_base: String,
    data_base: String,
    timeout: Duration,
}

impl LineClient {
    /// A client with the configured addresses and times, for up to `connections` requests at once.
    pub fn new(settings: &LineSettings, connections: usize) -> Self {
        let (api_base, data_base, timeout) =
            (base(&settings.api_base), base(&settings.data_base), settings.timeout);
        let settings = Settings { idle: KEEP_ALIVE, ..Settings::new(settings.connect_timeout, connections) };
        Self { http: net::Client::new(settings), api_base, data_base, timeout }
    }

    /// Pushes exactly these bytes, and says what that means for the message.
    pub async fn push(&self, token: &Secret, body: &[u8], retry_key: RetryKey) -> PushOutcome {
        let request = self
            .request(Method::POST, "/v2/bot/message/push", token)
            .header(CONTENT_TYPE, "application/json")
            .header("x-line-retry-key", retry_key.to_string());
        match self.send(request, body).await {
            Ok(answer) => self.settle_limit(token, &answer).await,
            Err(failure) => without_answer(failure),
        }
    }

    /// What LINE's clock says, in whole seconds; nothing where the answer has no date that can be read. No token is needed: each
    /// of LINE's answers has one, also a refusal.
    pub async fn clock(&self) -> Result<Option<Timestamp>> {
        let request = self.anonymous(Method::GET, "/v2/bot/info");
        let answer = self.http.send(request, "", self.timeout).await.map_err(unavailable)?;
        Ok(answer.header(DATE).and_then(Timestamp::from_http_date))
    }

    /// The bot behind a token: the best test of a token that LINE offers.
    pub async fn bot(&self, token: &Secret) -> Result<Bot> {
        Ok(responses::bot(&self.ask(self.request(Method::GET, "/v2/bot/info", token), b"").await?))
    }

    /// Tells LINE where to send webhooks.
    pub async fn set_webhook(&self, token: &Secret, endpoint: &str) -> Result<()> {
        let body = serde_json::json!({ "endpoint": endpoint }).to_string();
        let request = self.request(Method::PUT, WEBHOOK_PATH, token);
        let request = request.header(CONTENT_TYPE, "application/json");
        self.call(request, body.as_bytes()).await.map(drop)
    }

    /// Where LINE sends webhooks.
    pub async fn webhook(&self, token: &Secret) -> Result<WebhookEndpoint> {
        Ok(responses::webhook_endpoint(&self.ask(self.request(Method::GET, WEBHOOK_PATH, token), b"").await?))
    }

    /// Lets LINE send a webhook without events, now.
    pub async fn test_webhook(&self, token: &Secret) -> Result<WebhookTest> {
        let request = self.request(Method::POST, "/v2/bot/channel/webhook/test", token);
        let request = request.header(CONTENT_TYPE, "application/json");
        Ok(responses::webhook_test(&self.ask(request, b"{}").await?))
    }

    /// Name and picture of a user, a group or a member, and how many a group or room has. `LineRefused` with 404 when
    /// LINE does not tell.
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
        let answer = self.ask(self.request(Method::GET, &path, token), b"").await?;
        Ok(LineProfile { member_count, ..responses::profile(&answer) })
    }

    /// How many people are in a group or room besides the account; nothing when that cannot be read.
    async fn member_count(&self, token: &Secret, chat: &Chat) -> Result<Option<u32>> {
        let kind = if chat.kind == ChatKind::Room { "room" } else { "group" };
        let path = format!("/v2/bot/{kind}/{}/members/count", chat.id.as_str());
        let answer = self.ask(self.request(Method::GET, &path, token), b"").await?;
        Ok(responses::member_count(&answer))
    }

    /// LINE may reword its errors, so a 429 in new words is checked against the quota itself.
    async fn settle_limit(&self, token: &Secret, answer: &LineAnswer) -> PushOutcome {
        let used_up = async || self.quota(token).await.is_ok_and(|quota| quota.remaining() == Some(0));
        if answer.is_unknown_limit() && used_up().await {
            return PushOutcome::Parked(SuspensionReason::Quota, answer.message());
        }
        answer.outcome()
    }

    /// A request to this path in the name of an account.
    pub(super) fn request(&self, method: Method, path: &str, token: &Secret) -> Request {
        authorized(self.anonymous(method, path), token)
    }

    /// A request to this path without a token.
    pub(super) fn anonymous(&self, method: Method, path: &str) -> Request {
        Request::new().method(method).uri(format!("{}{path}", self.api_base))
    }

    /// The head of an answer of LINE's host for content; its body is still to come.
    pub(super) async fn open_content(&self, token: &Secret, path: &str) -> Result<Response, FetchError> {
        let request = authorized(Request::new().uri(format!("{}{path}", self.data_base)), token);
        let sent = self.http.send(request, "", self.timeout).await;
        sent.map_err(|failure| FetchError::NotYet(failure.message))
    }

    /// The rest of an answer that is no content.
    pub(super) async fn read_answer(&self, mut response: Response) -> LineAnswer {
        let body = tokio::time::timeout(self.timeout, response.whole(ANSWER_BYTES_MAX)).await;
        // The status says enough where the words are missing.
        answer(&response, body.ok().and_then(Result::ok).unwrap_or_default())
    }

    /// A call that may be repeated freely, whose answer is an object.
    pub(super) async fn ask(&self, request: Request, body: &[u8]) -> Result<Value> {
        let answer = self.call(request, body).await?.value();
        let unreadable =
            || Error::LineUnavailable("its answer cannot be read: it is no JSON object".to_owned());
        answer.is_object().then_some(answer).ok_or_else(unreadable)
    }

    /// A call that may be repeated freely: its answer, when that is a good one.
    pub(super) async fn call(&self, request: Request, body: &[u8]) -> Result<LineAnswer> {
        let answer = self.send(request.repeatable(), body).await.map_err(unavailable)?;
        match answer.status {
            200..=299 => Ok(answer),
            500.. => Err(Error::LineUnavailable(answer.message())),
            status => Err(Error::LineRefused { status, message: answer.message(), account: None }),
        }
    }

    /// One request and its whole answer within the configured time.
    pub(super) async fn send(&self, request: Request, body: &[u8]) -> Result<LineAnswer, RequestFailure> {
        let exchange = async {
            let mut response = self.http.send(request, body.to_vec(), self.timeout).await?;
            let body = match response.whole(ANSWER_BYTES_MAX).await {
                // The status says enough; whoever needs the body finds that there is none.
                Err(failure) if failure.kind == FailureKind::Unreadable => Bytes::new(),
                body => body?,
            };
            whole(&response, &body)?;
            Ok(answer(&response, body))
        };
        let late = |_| RequestFailure::new(FailureKind::Late, "no answer in time");
        tokio::time::timeout(self.timeout, exchange).await.map_err(late)?
    }
}

/// An answer lacks what it is asked for.
pub(super) fn without(name: &str) -> Error {
    Error::LineUnavailable(format!("its answer cannot be read: it has no `{name}`"))
}

/// What no answer means for a message.
pub(super) fn without_answer(failure: RequestFailure) -> PushOutcome {
    let timed_out = failure.timed_out();
    if failure.is_unsent() {
        return PushOutcome::NotSent(failure.message);
    }
    PushOutcome::Ambiguous { timed_out, message: failure.message }
}

/// A success whose body ends with the connection is whole when it is JSON, as all of LINE's are: half an object is none.
/// Of a refusal the status says enough.
fn whole(response: &Response, body: &[u8]) -> Result<(), RequestFailure> {
    let is_whole = !response.ends_by_closing()
        || !(200..300).contains(&response.status())
        || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if is_whole {
        Ok(())
    } else {
        Err(RequestFailure::new(FailureKind::Broken, "half an answer: it is no JSON"))
    }
}

fn unavailable(failure: RequestFailure) -> Error {
    Error::LineUnavailable(failure.message)
}

fn authorized(request: Request, token: &Secret) -> Request {
    request.header(AUTHORIZATION, format!("Bearer {}", token.expose()))
}

fn answer(response: &Response, body: Bytes) -> LineAnswer {
    let text = |name| response.header(name).map(str::to_owned);
    LineAnswer {
        status: response.status(),
        request_id: text("x-line-request-id"),
        accepted_request_id: text("x-line-accepted-request-id"),
        body,
    }
}

/// LINE does not promise to understand a path with a doubled slash.
fn base(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
