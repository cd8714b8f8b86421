//! The client that speaks to LINE.

use std::time::Duration;

use actix_web::web::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use url::Url;

use crate::config::section::Line;
use crate::error::{Error, Result};
use crate::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use crate::http::{self, Failure, FailureKind, Method, Request, Response, Settings};
use crate::line::answer::Answer;
use crate::model::account::{Bot, ParkReason};
use crate::model::chat::{Chat, ChatKind, LineId};
use crate::model::conversation::Profile;
use crate::model::delivery::Outcome;
use crate::model::fetch::Obstacle;
use crate::model::id::RetryKey;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;

/// The longest answer that is read; LINE's are far shorter.
const ANSWER_BYTES_MAX: usize = 256 * 1_024;

/// How long an idle connection to LINE is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where LINE keeps the address of the webhook.
const WEBHOOK_PATH: &str = "/v2/bot/channel/webhook/endpoint";

/// Speaks to LINE's API for any account; each call is given the token to use.
#[derive(Clone)]
pub struct Client {
    http: http::Client,
    api_base: String,
    data_base: String,
    timeout: Duration,
}

/// LINE's idea of where webhooks go.
#[derive(Debug, Clone, Deserialize)]
pub struct WebhookEndpoint {
    /// The address that is set.
    pub endpoint: String,
    /// Whether "Use webhook" is on; only a person can switch it, in LINE's console.
    pub active: bool,
}

/// How LINE's own test of the webhook ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTest {
    /// Whether LINE got a 2xx in time.
    #[serde(default)]
    pub success: bool,
    /// The status that LINE got; 0 or less when it got none.
    pub status_code: i32,
    /// `OK`, `COULD_NOT_CONNECT`, `REQUEST_TIMEOUT`, `ERROR_STATUS_CODE` or `UNCLASSIFIED`.
    pub reason: String,
    /// LINE's explanation.
    pub detail: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BotBody {
    user_id: String,
    basic_id: String,
    display_name: String,
    #[serde(default)]
    chat_mode: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProfileBody {
    #[serde(alias = "groupName")]
    display_name: String,
    #[serde(default)]
    picture_url: Option<String>,
}

#[derive(Deserialize)]
struct MemberCountBody {
    count: u32,
}

impl Client {
    /// A client with the configured addresses and times, for up to `connections` requests at once.
    pub fn new(settings: &Line, connections: usize) -> Self {
        let (api_base, data_base, timeout) =
            (base(&settings.api_base), base(&settings.data_base), settings.timeout);
        let settings = Settings { idle: KEEP_ALIVE, ..Settings::new(settings.connect_timeout, connections) };
        Self { http: http::Client::new(settings), api_base, data_base, timeout }
    }

    /// Pushes exactly these bytes, and says what that means for the message.
    pub async fn push(&self, token: &Secret, body: &[u8], retry_key: RetryKey) -> Outcome {
        let request = self
            .request(Method::POST, "/v2/bot/message/push", token)
            .header(CONTENT_TYPE, "application/json")
            .header("x-line-retry-key", retry_key.to_string());
        match self.send(request, body).await {
            Ok(answer) => self.settle_limit(token, &answer).await,
            Err(failure) => without_answer(failure),
        }
    }

    /// What LINE's clock says, in whole seconds. No token is needed: each answer has a date, also a refusal.
    pub async fn clock(&self) -> Result<Timestamp> {
        let request = self.anonymous(Method::GET, "/v2/bot/info");
        let answer = self.http.send(request, "", self.timeout).await.map_err(unavailable)?;
        let date = answer.header(DATE).and_then(Timestamp::from_http_date);
        date.ok_or_else(|| Error::LineUnavailable("its answer has no date".to_owned()))
    }

    /// The bot behind a token: the best test of a token that LINE offers.
    pub async fn bot(&self, token: &Secret) -> Result<Bot> {
        let body: BotBody = self.call(self.request(Method::GET, "/v2/bot/info", token), b"").await?;
        let BotBody { user_id, basic_id, display_name, chat_mode } = body;
        Ok(Bot { user_id, basic_id, display_name, chat_mode })
    }

    /// Tells LINE where to send webhooks.
    pub async fn set_webhook(&self, token: &Secret, endpoint: &str) -> Result<()> {
        let body = serde_json::json!({ "endpoint": endpoint }).to_string();
        let request = self.request(Method::PUT, WEBHOOK_PATH, token);
        let request = request.header(CONTENT_TYPE, "application/json");
        self.call::<IgnoredAny>(request, body.as_bytes()).await.map(drop)
    }

    /// Where LINE sends webhooks.
    pub async fn webhook(&self, token: &Secret) -> Result<WebhookEndpoint> {
        self.call(self.request(Method::GET, WEBHOOK_PATH, token), b"").await
    }

    /// Lets LINE send a webhook without events, now.
    pub async fn test_webhook(&self, token: &Secret) -> Result<WebhookTest> {
        let request = self.request(Method::POST, "/v2/bot/channel/webhook/test", token);
        self.call(request.header(CONTENT_TYPE, "application/json"), b"{}").await
    }

    /// Name and picture of a user, a group or a member, and how many a group or room has. `LineRefused` with 404 when
    /// LINE does not tell.
    pub async fn profile(&self, token: &Secret, chat: &Chat, target: &LineId) -> Result<Profile> {
        let (chat_id, target_id) = (chat.id.as_str(), target.as_str());
        let mut member_count = None;
        if chat.kind != ChatKind::User && chat.id == *target {
            member_count = Some(self.member_count(token, chat).await?);
        }
        let path = match chat.kind {
            ChatKind::User => format!("/v2/bot/profile/{target_id}"),
            ChatKind::Group if chat.id == *target => format!("/v2/bot/group/{chat_id}/summary"),
            ChatKind::Group => format!("/v2/bot/group/{chat_id}/member/{target_id}"),
            ChatKind::Room if chat.id == *target => {
                return Ok(Profile { name: None, picture_url: None, member_count });
            }
            ChatKind::Room => format!("/v2/bot/room/{chat_id}/member/{target_id}"),
        };
        let body: ProfileBody = self.call(self.request(Method::GET, &path, token), b"").await?;
        let picture_url = body.picture_url.filter(|url| !url.is_empty());
        Ok(Profile { name: Some(body.display_name), picture_url, member_count })
    }

    /// How many people are in a group or room besides the account.
    async fn member_count(&self, token: &Secret, chat: &Chat) -> Result<u32> {
        let kind = if chat.kind == ChatKind::Room { "room" } else { "group" };
        let path = format!("/v2/bot/{kind}/{}/members/count", chat.id.as_str());
        let MemberCountBody { count } = self.call(self.request(Method::GET, &path, token), b"").await?;
        Ok(count)
    }

    /// LINE may reword its errors, so a 429 in new words is checked against the quota itself.
    async fn settle_limit(&self, token: &Secret, answer: &Answer) -> Outcome {
        let used_up = async || self.quota(token).await.is_ok_and(|quota| quota.remaining() == Some(0));
        if answer.is_unknown_limit() && used_up().await {
            return Outcome::Parked(ParkReason::Quota, answer.message());
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
    pub(super) async fn open_content(&self, token: &Secret, path: &str) -> Result<Response, Obstacle> {
        let request = authorized(Request::new().uri(format!("{}{path}", self.data_base)), token);
        let sent = self.http.send(request, "", self.timeout).await;
        sent.map_err(|failure| Obstacle::NotYet(failure.message))
    }

    /// The rest of an answer that is no content.
    pub(super) async fn read_answer(&self, mut response: Response) -> Answer {
        let body = tokio::time::timeout(self.timeout, response.whole(ANSWER_BYTES_MAX)).await;
        // The status says enough where the words are missing.
        answer(&response, body.ok().and_then(Result::ok).unwrap_or_default())
    }

    /// A call that may be repeated freely: its answer as a value, or what LINE said instead.
    pub(super) async fn call<T: DeserializeOwned>(&self, request: Request, body: &[u8]) -> Result<T> {
        let answer = self.send(request, body).await.map_err(unavailable)?;
        match answer.status {
            200..=299 => serde_json::from_slice(&answer.body)
                .map_err(|error| Error::LineUnavailable(format!("its answer cannot be read: {error}"))),
            500.. => Err(Error::LineUnavailable(answer.message())),
            status => Err(Error::LineRefused { status, message: answer.message(), account: None }),
        }
    }

    /// One request and its whole answer within the configured time.
    pub(super) async fn send(&self, request: Request, body: &[u8]) -> Result<Answer, Failure> {
        let exchange = async {
            let mut response = self.http.send(request, body.to_vec(), self.timeout).await?;
            let body = response.whole(ANSWER_BYTES_MAX).await?;
            whole(&response, &body)?;
            Ok(answer(&response, body))
        };
        let late = |_| Failure::new(FailureKind::Late, "no answer in time");
        tokio::time::timeout(self.timeout, exchange).await.map_err(late)?
    }
}

/// What no answer means for a message.
pub(super) fn without_answer(failure: Failure) -> Outcome {
    let timed_out = failure.timed_out();
    if failure.is_unsent() {
        return Outcome::NotSent(failure.message);
    }
    Outcome::Ambiguous { timed_out, message: failure.message }
}

/// A success whose body ends with the connection is whole when it is JSON, as all of LINE's are: half an object is none.
/// Of a refusal the status says enough.
fn whole(response: &Response, body: &[u8]) -> Result<(), Failure> {
    let is_whole = !response.ends_by_closing()
        || !(200..300).contains(&response.status())
        || serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if is_whole { Ok(()) } else { Err(Failure::new(FailureKind::Broken, "half an answer: it is no JSON")) }
}

fn unavailable(failure: Failure) -> Error {
    Error::LineUnavailable(failure.message)
}

fn authorized(request: Request, token: &Secret) -> Request {
    request.header(AUTHORIZATION, format!("Bearer {}", token.expose()))
}

fn answer(response: &Response, body: Bytes) -> Answer {
    let text = |name| response.header(name).map(str::to_owned);
    Answer {
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
