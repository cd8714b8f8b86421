//! Wraps every request: request id, limits, one shape for all errors, and a log line without secrets.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::api::accounts::webhook;
use crate::api::accounts::webhook::Signed;
use crate::api::error::{respond, translate};
use crate::api::middleware::access_log::AccessEntry;
use crate::api::middleware::connection_progress::ConnectionProgress;
use crate::api::middleware::{base_path, framing};
use crate::api::request::client_address::ClientAddress;
use crate::api::request::state::app;
use crate::api::request::{body_timeout, client_address};
use crate::config::Config;
use crate::contract::paths::UPLOADS;
use crate::error::{Error, Resource as Missing};

/// The header with the request id, for the client and the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is accepted from a client.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Wraps every route. A handler that panics yields a 500, and the process goes on.
pub async fn wrap(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let app = app(request.request()).clone();
    let Config { base_path, limits, proxies, .. } = &app.shared.config;
    let is_under_base_path = base_path::strip(&mut request, base_path);
    let client_address = client_address::address(&request, &proxies.trusted);
    request.extensions_mut().insert(ClientAddress(client_address));
    let access = AccessEntry::begin(&request, request_id(&request), client_address);
    let limit = if request.path() == UPLOADS { body_timeout::UPLOAD } else { limits.request_timeout };
    body_timeout::limit(&mut request, limit);
    let take_address = || app.shared.limits.take_address(client_address, app.shared.clock.now());
    let may_be_signed = webhook::may_be_signed(&request);
    // Every request counts, even one outside the base path or with unacceptable headers.
    let over_limit = if may_be_signed { None } else { take_address().err() };
    let refused = over_limit.or_else(|| refusal(&request, is_under_base_path));
    let mut response = match call(request, next, refused, &access.id).await {
        Ok(Ok(response)) => into_envelope(response, &access.id),
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            app.shared.counters.panics.add(1);
            let response_id = access.id.clone();
            access.panicked(&app.shared.metrics);
            return Err(actix_web::Error::from(Panicked { response_id }));
        }
    };
    // All requests except those LINE signed count against their address; for possible webhooks this is known only now.
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

/// The response of the route, or the rejection; the outer error is a panic.
async fn call(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    refused: Option<Error>,
    id: &str,
) -> std::thread::Result<Result<ServiceResponse<BoxBody>, actix_web::Error>> {
    let progress = request.conn_data::<ConnectionProgress>().cloned().unwrap_or_default();
    // A copy of the request that outlives the handler would keep actix from reusing it: only its response is retained.
    if let Some(error) = refused {
        progress.answered();
        return Ok(Ok(request.into_response(respond(&error, id)).map_into_boxed_body()));
    }
    let result = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    progress.answered();
    result.map(|response| response.map(ServiceResponse::map_into_boxed_body))
}

/// Why a request is rejected before routing.
fn refusal(request: &ServiceRequest, is_under_base_path: bool) -> Option<Error> {
    if !is_under_base_path {
        return Some(Error::NotFound(Missing::Route));
    }
    let is_encoded = request.headers().contains_key(CONTENT_ENCODING);
    is_encoded.then_some(Error::UnsupportedMediaType("send the body as it is, without `Content-Encoding`"))
}

/// A handler panicked. Actix renders the response from this error, because the request was lost in the panic.
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

/// Adds the request id to an error, and our envelope if it has another shape. An internal cause is logged and
/// goes no further.
fn into_envelope(response: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    let Some(cause) = response.response().error() else { return response };
    let envelope = match cause.as_error::<Error>() {
        Some(error) => {
            if let Error::Internal(_) | Error::Unusable(_) = error {
                log::error!("request {id}: {}", error.chain());
            }
            respond(error, id)
        }
        None => respond(&translate(response.status()), id),
    };
    response.into_response(envelope)
}

/// Sets the headers of every response. URLs may carry tokens by contract, so responses must not be cached.
fn stamp_headers(headers: &mut HeaderMap, id: &str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REQUEST_ID, HeaderValue::from_str(id).expect("ids are plain ASCII"));
}

/// The client's own request id if it is 1 to 64 characters of `[A-Za-z0-9_-]`, otherwise a new one.
fn request_id(request: &ServiceRequest) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let given = given.filter(|id| (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain));
    given.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}
