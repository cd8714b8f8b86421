//! What holds for every request: an id, limits, one shape for all failures, and a line in the log without secrets.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, web};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::api::accounts::webhook;
use crate::api::accounts::webhook::Signed;
use crate::api::error::{respond, translate};
use crate::api::middleware::access_log::AccessEntry;
use crate::api::middleware::connection_progress::ConnectionProgress;
use crate::api::middleware::{base_path, framing};
use crate::api::request::client_address::ClientAddress;
use crate::api::request::{body_timeout, client_address};
use crate::config::Config;
use crate::contract::paths::UPLOADS;
use crate::error::{Error, Resource as Missing};
use crate::runtime::app::App;

/// The header that names a request, for the client and for the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Wraps every route. A handler that panics answers 500, and the process goes on.
pub async fn wrap(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let app = request.app_data::<web::Data<App>>().expect("every server is given an App").clone();
    let Config { base_path, limits, proxies, .. } = &app.shared.config;
    let is_ours = base_path::strip(&mut request, base_path);
    let client_address = client_address::address(&request, &proxies.trusted);
    request.extensions_mut().insert(ClientAddress(client_address));
    let access = AccessEntry::begin(&request, request_id(&request), client_address);
    let limit = if request.path() == UPLOADS { body_timeout::UPLOAD } else { limits.request_timeout };
    body_timeout::limit(&mut request, limit);
    let take_address = || app.shared.limits.take_address(client_address, app.shared.clock.now());
    let may_be_signed = webhook::may_be_signed(&request);
    // Whatever the answer, it counts: also what lies beside the base path, or is refused for its headers.
    let over = if may_be_signed { None } else { take_address().err() };
    let refused = over.or_else(|| refusal(&request, is_ours));
    let mut response = match answer(request, next, refused, &access.id).await {
        Ok(Ok(response)) => into_envelope(response, &access.id),
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            app.shared.counters.panics.add(1);
            let response_id = access.id.clone();
            access.panicked(&app.shared.metrics);
            return Err(actix_web::Error::from(Panicked { response_id }));
        }
    };
    // All but what LINE has signed counts against its address; what looks as if it could be is known only now.
    if may_be_signed && !response.request().extensions().contains::<Signed>() {
        response = match take_address() {
            Ok(()) => response,
            Err(error) => response.into_response(respond(&error, &access.id)),
        };
    }
    stamp_headers(response.headers_mut(), &access.id);
    let response = framing::fit(response, app.shared.end.has_begun());
    access.end(&app.shared.metrics, response.status().as_u16(), framing::sent(&response));
    Ok(response)
}

/// The answer of the route, or the refusal; outside of both is a panic.
async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    refused: Option<Error>,
    id: &str,
) -> std::thread::Result<Result<ServiceResponse<BoxBody>, actix_web::Error>> {
    let progress = request.conn_data::<ConnectionProgress>().cloned().unwrap_or_default();
    // A copy of the request that outlives the handler would keep actix from reusing it: only its answer is kept.
    if let Some(error) = refused {
        progress.answered();
        return Ok(Ok(request.into_response(respond(&error, id)).map_into_boxed_body()));
    }
    let call = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    progress.answered();
    call.map(|answer| answer.map(ServiceResponse::map_into_boxed_body))
}

/// Why a request reaches no route.
fn refusal(request: &ServiceRequest, is_ours: bool) -> Option<Error> {
    if !is_ours {
        return Some(Error::NotFound(Missing::Route));
    }
    let is_encoded = request.headers().contains_key(CONTENT_ENCODING);
    is_encoded.then_some(Error::UnsupportedMediaType("send the body as it is, without `Content-Encoding`"))
}

/// A handler panicked. Actix turns it into the answer, because the request itself went down with the handler.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct Panicked {
    response_id: String,
}

impl actix_web::ResponseError for Panicked {
    fn error_response(&self) -> HttpResponse {
        let mut response = respond(&Error::internal("the handler panicked"), &self.response_id);
        stamp_headers(response.headers_mut(), &self.response_id);
        response
    }
}

/// Gives a failure its request id, and our envelope if it has another shape. An internal cause ends here, in the log.
fn into_envelope(response: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    let Some(cause) = response.response().error() else { return response };
    let answer = match cause.as_error::<Error>() {
        Some(error) => {
            if let Error::Internal(_) | Error::Unusable(_) = error {
                log::error!("request {id}: {}", error.chain());
            }
            respond(error, id)
        }
        None => respond(&translate(response.status()), id),
    };
    response.into_response(answer)
}

/// The headers of every answer. Addresses carry tokens by contract: what they show may not stay in a cache.
fn stamp_headers(headers: &mut HeaderMap, id: &str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REQUEST_ID, HeaderValue::from_str(id).expect("ids are plain ASCII"));
}

/// The client's own id, if it is 1 to 64 characters of `[A-Za-z0-9_-]`, else a new one.
fn request_id(request: &ServiceRequest) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let given = given.filter(|id| (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain));
    given.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}
