//! `Idempotency-Key`: a request that is repeated with its key creates nothing and returns what the first one
//! created.
//!
//! [`idempotent`] wraps the routes that create something. Their handlers take an [`IdempotencyKey`] and record
//! its claim in the transaction that creates the object; that is all they have to do. Only hashes of bodies are
//! stored.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use aws_lc_rs::digest::{Context, SHA256};

use crate::api::accounts;
use crate::api::conversations::messages;
use crate::api::files::uploads;
use crate::api::request::body_timeout;
use crate::api::request::caller::Caller;
use crate::api::request::file_body::FileBody;
use crate::api::request::idempotency_key::{Hash, IdempotencyKey, KEY_BYTES_MAX, Keyed, hash, is_key};
use crate::api::request::state::app;
use crate::contract::paths::UPLOADS;
use crate::error::{Error, InvalidRule, Result};
use crate::model::created::Created;
use crate::model::id::CustomerId;
use crate::runtime::app::App;
use crate::store::outbox::idempotency;

/// The header with the client's key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The response header that marks a replay.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The largest body of any route: an upload.
const BODY_BYTES_MAX: usize = 200_000_000;

/// Wraps a route that creates something, and lets each key through once.
pub async fn idempotent(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let keyed = match keyed(&mut request).await {
        Ok(Some(keyed)) => Rc::new(keyed),
        Ok(None) => return next.call(request).await.map(ServiceResponse::map_into_boxed_body),
        Err(error) => return Ok(refuse(request, error)),
    };
    let Some(_lock) = keyed.shared.key_locks.lock((keyed.customer, keyed.name)) else {
        return Ok(refuse(request, Error::KeyInUse));
    };
    match replay(&mut request, &keyed).await {
        Ok(Some(response)) => Ok(request.into_response(response)),
        Ok(None) => {
            request.extensions_mut().insert(IdempotencyKey::with(keyed));
            next.call(request).await.map(ServiceResponse::map_into_boxed_body)
        }
        Err(error) => Ok(refuse(request, error)),
    }
}

fn refuse(request: ServiceRequest, error: Error) -> ServiceResponse<BoxBody> {
    request.error_response(error)
}

/// The request's key and what it identifies. An unauthenticated request fails here: a second authentication
/// could have another result, and the handler would proceed without the key.
async fn keyed(request: &mut ServiceRequest) -> Result<Option<Keyed>> {
    let mut keys = request.headers().get_all(KEY);
    let Some(key) = keys.next().cloned().filter(|_| request.method() == Method::POST) else {
        return Ok(None);
    };
    let (is_alone, key) = (keys.next().is_none(), key.as_bytes());
    let Caller { customer, .. } = request.extract::<Caller>().await?;
    if !is_key(key) || !is_alone {
        let expected = format!("`Idempotency-Key` has 1 to {KEY_BYTES_MAX} printable ASCII characters");
        return Err(Error::invalid(InvalidRule::Argument, expected));
    }
    // The token may differ when the request is repeated.
    let query = request.query_string().split('&').filter(|parameter| !parameter.starts_with("token="));
    let target = [request.method().as_str(), request.path(), &query.collect::<Vec<_>>().join("&")].join("\n");
    let shared = Arc::clone(&app(request.request()).shared);
    let (name, target) = (hash(key), hash(target.as_bytes()));
    Ok(Some(Keyed { customer, name, target, body: Cell::default(), shared }))
}

/// What the key created before, if anything. `KeyReused` when the request differs.
async fn replay(request: &mut ServiceRequest, keyed: &Keyed) -> Result<Option<HttpResponse>> {
    let app = app(request.request()).clone();
    let oldest = app.shared.clock.now().before(app.shared.config.limits.idempotency_keep);
    let found =
        app.reader.read(|connection| idempotency::find(connection, keyed.customer, keyed.name, oldest))?;
    let Some(known) = found else { return Ok(None) };
    if known.request != keyed.fingerprint(hash_of_body(request, &app).await?) {
        return Err(Error::KeyReused);
    }
    let mut response = show(request.request(), &app, keyed.customer, known.created)?;
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(Some(response))
}

/// The current state of what was created.
fn show(request: &HttpRequest, app: &App, customer: CustomerId, created: Created) -> Result<HttpResponse> {
    match created {
        Created::Message(id) => {
            messages::show(app, (customer, request.match_info().query("id").parse()?), id)
        }
        Created::Media(id) => uploads::show(app, customer, id),
        Created::Account(id) => accounts::show(app, customer, id),
    }
}

/// Hashes the body as it streams in. A body longer than any route accepts cannot match. Of a form only the file
/// counts: boundaries differ between requests.
async fn hash_of_body(request: &mut ServiceRequest, app: &App) -> Result<Hash> {
    let seconds = app.shared.config.limits.request_timeout.as_secs();
    let payload = request.take_payload();
    let mut body = match request.path() {
        UPLOADS => FileBody::open(request.request(), payload, body_timeout::UPLOAD.as_secs()).await?,
        _ => FileBody::whole(payload, seconds),
    };
    let (mut length, mut hash) = (0, Context::new(&SHA256));
    while let Some(part) = body.next().await? {
        length += part.len();
        if length > BODY_BYTES_MAX {
            return Err(Error::TooLarge { limit_bytes: BODY_BYTES_MAX });
        }
        hash.update(&part);
    }
    Ok(hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
}
