//! A request to LINE's API from its arrival to its answer, with whatever goes wrong in between.

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Payload, ThinData};
use actix_web::{HttpRequest, HttpResponse, rt};
use futures_util::StreamExt;
use futures_util::stream::{self, Stream};
use uuid::Uuid;

use crate::model::timestamp::Timestamp;
use crate::net;
use crate::sandbox::line::endpoints::{self, WEBHOOK_TEST, channel};
use crate::sandbox::line::hangup::hang_up;
use crate::sandbox::line::{errors, sender};
use crate::sandbox::platform::Platform;
use crate::sandbox::records::call::{CallAnswer, LineCall};
use crate::sandbox::records::faults::{FaultKind, FaultRule};
use crate::sandbox::records::{RequestRecord, ViolationKind};
use crate::sandbox::state::PlatformData;
use crate::sandbox::webhook::EmittedWebhook;

/// More than LINE takes, so that a body past LINE's limit gets LINE's answer and no closed connection.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The half of an answer that is cut needs a moment to leave.
const CUT_PAUSE: Duration = Duration::from_millis(20);

/// Answers any request to LINE's API.
pub async fn answer(
    request: HttpRequest,
    payload: Payload,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> HttpResponse {
    match payload.to_bytes_limited(BODY_BYTES_MAX).await {
        Ok(Ok(body)) => serve(&request, body, &platform, &client).await,
        Ok(Err(error)) => error.error_response(),
        Err(_) => HttpResponse::PayloadTooLarge().finish(),
    }
}

async fn serve(
    request: &HttpRequest,
    body: Bytes,
    platform: &Platform,
    client: &net::Client,
) -> HttpResponse {
    let call = call(request, body);
    let (position, fault) = platform.with(|state| arrive(state, &call, Timestamp::now()));
    let answer = match fault {
        None => Some(execute(platform, client, &call).await),
        // A task of its own: LINE executes a late request also when the bot has given up waiting for the answer.
        Some(fault) => {
            rt::spawn(go_wrong(fault, platform.clone(), client.clone(), call.clone())).await.ok().flatten()
        }
    };
    let status = answer.as_ref().map(|answer| answer.status);
    platform.with(|state| {
        if let Some(request) = state.requests.entry_mut(position) {
            request.status = status;
        }
    });
    answer.map_or_else(|| closed(request), |answer| response(answer, &call.request_id))
}

fn call(request: &HttpRequest, body: Bytes) -> LineCall {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    LineCall {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        authorization: header("authorization"),
        content_type: header("content-type"),
        retry_key: header("x-line-retry-key"),
        body,
        request_id: Uuid::new_v4().to_string(),
    }
}

/// Records the request; tells where, and what goes wrong with it.
fn arrive(state: &mut PlatformData, call: &LineCall, now: Timestamp) -> (usize, Option<FaultRule>) {
    if let Ok(Some(key)) = endpoints::retry_key(call)
        && !state.retry_keys.note(key, &call.path, &call.body, now)
    {
        endpoints::violation(state, call, ViolationKind::RetryKeyReused);
    }
    let request = RequestRecord {
        request_id: call.request_id.clone(),
        method: call.method.clone(),
        path: call.path.clone(),
        retry_key: call.retry_key.clone(),
        status: None,
        body: call.body.clone(),
        timestamp: now.as_milliseconds(),
    };
    (state.requests.push(request, call.body.len()), state.faults.strike(call))
}

async fn execute(platform: &Platform, client: &net::Client, call: &LineCall) -> CallAnswer {
    let now = Timestamp::now();
    if !call.is("POST", WEBHOOK_TEST) {
        let (answer, webhooks) = platform.with(|state| {
            let answer = endpoints::answer(state, call, now);
            (answer, std::mem::take(&mut state.untold))
        });
        for webhook in webhooks {
            notify(platform, client, webhook);
        }
        return answer;
    }
    match platform.with(|state| channel::test(state, call, now)) {
        Ok(webhook) => channel::tested(&sender::attempt(platform, client, &webhook).await, now),
        Err(refusal) => refusal,
    }
}

/// Brings a webhook in the background.
fn notify(platform: &Platform, client: &net::Client, webhook: EmittedWebhook) {
    let (platform, client) = (platform.clone(), client.clone());
    rt::spawn(async move { sender::deliver(&platform, &client, webhook).await });
}

/// The answer to a request with which something goes wrong; nothing where the connection is just closed.
async fn go_wrong(
    fault: FaultRule,
    platform: Platform,
    client: net::Client,
    call: LineCall,
) -> Option<CallAnswer> {
    rt::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    let executed = if fault.executes() { Some(execute(&platform, &client, &call).await) } else { None };
    match fault.kind {
        FaultKind::Status | FaultKind::StatusAfter => Some(refused(&fault)),
        FaultKind::Timeout => {
            rt::time::sleep(platform.with(|state| state.silence)).await;
            None
        }
        FaultKind::Reset | FaultKind::Lost => None,
        FaultKind::Slow => executed,
        FaultKind::Html => {
            Some(CallAnswer::new(502, "text/html", "<html><body>502 Bad Gateway</body></html>"))
        }
        FaultKind::Garbage => executed.map(halved),
        FaultKind::Cut => executed.map(|answer| CallAnswer { cut_after: Some(CUT_PAUSE), ..answer }),
        FaultKind::Stall => {
            let silence = platform.with(|state| state.silence);
            executed.map(|answer| CallAnswer { cut_after: Some(silence), ..answer })
        }
        FaultKind::Redirect => Some(errors::refusal(302, "Found").with("location", "/elsewhere")),
    }
}

fn refused(fault: &FaultRule) -> CallAnswer {
    let status = fault.status.unwrap_or(500);
    errors::refusal(status, fault.message.as_deref().unwrap_or(errors::words(status)))
}

/// The first half of the right answer, announced as a whole one. A refusal stays whole: with half of it nobody could tell
/// what was refused.
fn halved(answer: CallAnswer) -> CallAnswer {
    let size = if answer.status == 200 { answer.size() / 2 } else { answer.size() };
    let kept = usize::try_from(size).unwrap_or(usize::MAX).min(answer.body.len());
    let filler = size - u64::try_from(kept).unwrap_or(size);
    CallAnswer { body: answer.body.slice(..kept), filler, ..answer }
}

fn response(answer: CallAnswer, request_id: &str) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response.insert_header(("content-type", answer.content_type.as_str()));
    response.insert_header(("x-line-request-id", request_id));
    for (name, value) in &answer.headers {
        response.insert_header((*name, value.as_str()));
    }
    match answer.cut_after {
        None if answer.filler == 0 => response.body(answer.body),
        None => response.body(SizedStream::new(answer.size(), whole(&answer))),
        Some(pause) => response.body(SizedStream::new(answer.size(), first_half(&answer, pause))),
    }
}

fn whole(answer: &CallAnswer) -> impl Stream<Item = Result<Bytes, std::io::Error>> + use<> {
    stream::iter(answer.pieces().map(Ok))
}

/// The first half of a body that was announced as a whole, and a failure that closes the connection.
fn first_half(
    answer: &CallAnswer,
    pause: Duration,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + use<> {
    let rest = stream::once(async move {
        rt::time::sleep(pause).await;
        Err(std::io::ErrorKind::ConnectionReset.into())
    });
    stream::iter(answer.first_half().map(Ok)).chain(Box::pin(rest))
}

fn closed(request: &HttpRequest) -> HttpResponse {
    hang_up(request);
    HttpResponse::InternalServerError().force_close().finish()
}
