//! Handles requests to LINE's API from arrival to response, including faults.

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
use crate::sandbox::records::call::{CallResponse, LineCall};
use crate::sandbox::records::faults::{FaultKind, FaultRule};
use crate::sandbox::records::{RequestRecord, ViolationKind};
use crate::sandbox::state::PlatformData;
use crate::sandbox::webhook::EmittedWebhook;

/// Above LINE's limit, so that a larger body gets LINE's error response rather than a closed connection.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Lets the first half of a cut response leave before the connection is closed.
const CUT_PAUSE: Duration = Duration::from_millis(20);

/// Handles any request to LINE's API.
pub async fn handle(
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
    let (position, fault) = platform.with(|state| record_request(state, &call, Timestamp::now()));
    let response = match fault {
        None => Some(execute(platform, client, &call).await),
        // Runs in its own task: LINE executes a delayed request even if the bot no longer waits for the
        // response.
        Some(fault) => rt::spawn(respond_with_fault(fault, platform.clone(), client.clone(), call.clone()))
            .await
            .ok()
            .flatten(),
    };
    let status = response.as_ref().map(|response| response.status);
    platform.with(|state| {
        if let Some(request) = state.requests.entry_mut(position) {
            request.status = status;
        }
    });
    response.map_or_else(|| closed_connection(request), |response| http_response(response, &call.request_id))
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

/// Records the request; returns its position in the history and the fault to apply.
fn record_request(state: &mut PlatformData, call: &LineCall, now: Timestamp) -> (usize, Option<FaultRule>) {
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
    (state.requests.push(request, call.body.len()), state.faults.select(call))
}

async fn execute(platform: &Platform, client: &net::Client, call: &LineCall) -> CallResponse {
    let now = Timestamp::now();
    if !call.is("POST", WEBHOOK_TEST) {
        let (response, webhooks) = platform.with(|state| {
            let response = endpoints::respond(state, call, now);
            (response, std::mem::take(&mut state.pending_webhooks))
        });
        for webhook in webhooks {
            notify(platform, client, webhook);
        }
        return response;
    }
    match platform.with(|state| channel::test(state, call, now)) {
        Ok(webhook) => channel::tested(&sender::attempt(platform, client, &webhook).await, now),
        Err(refusal) => refusal,
    }
}

/// Delivers a webhook in the background.
fn notify(platform: &Platform, client: &net::Client, webhook: EmittedWebhook) {
    let (platform, client) = (platform.clone(), client.clone());
    rt::spawn(async move { sender::deliver(&platform, &client, webhook).await });
}

/// The response to a request with a fault; `None` if the connection is just closed.
async fn respond_with_fault(
    fault: FaultRule,
    platform: Platform,
    client: net::Client,
    call: LineCall,
) -> Option<CallResponse> {
    rt::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    let executed = if fault.executes() { Some(execute(&platform, &client, &call).await) } else { None };
    match fault.kind {
        FaultKind::Status | FaultKind::StatusAfter => Some(fault_response(&fault)),
        FaultKind::Timeout => {
            rt::time::sleep(platform.with(|state| state.silence)).await;
            None
        }
        FaultKind::Reset | FaultKind::Lost => None,
        FaultKind::Slow => executed,
        FaultKind::Html => {
            Some(CallResponse::new(502, "text/html", "<html><body>502 Bad Gateway</body></html>"))
        }
        FaultKind::Garbage => executed.map(truncated),
        FaultKind::Cut => executed.map(|response| CallResponse { cut_after: Some(CUT_PAUSE), ..response }),
        FaultKind::Stall => {
            let silence = platform.with(|state| state.silence);
            executed.map(|response| CallResponse { cut_after: Some(silence), ..response })
        }
        FaultKind::Redirect => Some(errors::refusal(302, "Found").with("location", "/elsewhere")),
    }
}

fn fault_response(fault: &FaultRule) -> CallResponse {
    let status = fault.status.unwrap_or(500);
    errors::refusal(status, fault.message.as_deref().unwrap_or(errors::status_text(status)))
}

/// The first half of the right body under its full status. An error stays complete: half of it would not show
/// what was refused.
fn truncated(response: CallResponse) -> CallResponse {
    let size = if response.status == 200 { response.size() / 2 } else { response.size() };
    let body_length = usize::try_from(size).unwrap_or(usize::MAX).min(response.body.len());
    let filler = size - u64::try_from(body_length).unwrap_or(size);
    CallResponse { body: response.body.slice(..body_length), filler, ..response }
}

fn http_response(response: CallResponse, request_id: &str) -> HttpResponse {
    let status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut http_response = HttpResponse::build(status);
    http_response.insert_header(("content-type", response.content_type.as_str()));
    http_response.insert_header(("x-line-request-id", request_id));
    for (name, value) in &response.headers {
        http_response.insert_header((*name, value.as_str()));
    }
    match response.cut_after {
        None if response.filler == 0 => http_response.body(response.body),
        None => http_response.body(SizedStream::new(response.size(), whole_body(&response))),
        Some(pause) => http_response.body(SizedStream::new(response.size(), first_half(&response, pause))),
    }
}

fn whole_body(response: &CallResponse) -> impl Stream<Item = Result<Bytes, std::io::Error>> + use<> {
    stream::iter(response.chunks().map(Ok))
}

/// The first half of a body whose full length was announced, followed by an error that closes the connection.
fn first_half(
    response: &CallResponse,
    pause: Duration,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + use<> {
    let rest = stream::once(async move {
        rt::time::sleep(pause).await;
        Err(std::io::ErrorKind::ConnectionReset.into())
    });
    stream::iter(response.first_half().map(Ok)).chain(Box::pin(rest))
}

fn closed_connection(request: &HttpRequest) -> HttpResponse {
    hang_up(request);
    HttpResponse::InternalServerError().force_close().finish()
}
