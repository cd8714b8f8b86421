//! Reads whole bodies within their size limits, as JSON where JSON is expected.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;

use crate::api::request::body_timeout;
use crate::api::request::idempotency_key::IdempotencyKey;
use crate::api::request::state::app;
use crate::error::{Error, InvalidRule, Result};
use crate::model::object::object;

/// A JSON body, deserialized.
pub struct Json<T>(pub T);

/// An optional JSON body: an empty one is the default.
pub struct MaybeJson<T>(pub T);

type ReadFuture<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = ReadFuture<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let value = value(request, payload, None);
        Box::pin(async move { value.await.map(Self) })
    }
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for MaybeJson<T> {
    type Error = Error;
    type Future = ReadFuture<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let value = value(request, payload, Some(T::default()));
        Box::pin(async move { value.await.map(Self) })
    }
}

/// Deserializes the body. An empty body yields `absent`, if given.
fn value<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: &mut Payload,
    absent: Option<T>,
) -> impl Future<Output = Result<T>> + use<T> {
    let typed = require_json(request);
    let body = read(request, payload, app(request).shared.config.limits.body_bytes);
    async move {
        let body = body.await?;
        if let Some(absent) = absent.filter(|_| body.is_empty()) {
            return Ok(absent);
        }
        typed?;
        let expected =
            |error| Error::invalid(InvalidRule::JsonBody, format!("the body cannot be read: {error}"));
        object(&body).map_err(expected)
    }
}

fn require_json(request: &HttpRequest) -> Result<()> {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::UnsupportedMediaType("send the body with `Content-Type: application/json`"))
}

/// `TooLarge` when `Content-Length` exceeds `limit_bytes`.
pub fn check_announced(request: &HttpRequest, limit_bytes: usize) -> Result<()> {
    if announced_bytes(request) > limit_bytes { Err(Error::TooLarge { limit_bytes }) } else { Ok(()) }
}

/// The whole body, if all of it arrived with the head; does not wait for more.
pub async fn at_hand(mut payload: Payload, limit_bytes: usize) -> Option<Bytes> {
    // The connection passes on what it has read only after this yield.
    tokio::task::yield_now().await;
    let mut body = BytesMut::new();
    while let Some(part) = payload.next().now_or_never()? {
        body.extend_from_slice(&part.ok()?);
        if body.len() > limit_bytes {
            return None;
        }
    }
    Some(body.freeze())
}

/// Reads the whole body. `TooLarge` when it is announced to exceed, or exceeds, `limit_bytes`.
pub fn read(
    request: &HttpRequest,
    payload: &mut Payload,
    limit_bytes: usize,
) -> impl Future<Output = Result<Bytes>> + use<> {
    let seconds = app(request).shared.config.limits.request_timeout.as_secs();
    let (announced, checked) = (announced_bytes(request), check_announced(request, limit_bytes));
    let mut payload = payload.take();
    let key = IdempotencyKey::of(request);
    async move {
        checked?;
        let mut body = BytesMut::with_capacity(announced);
        while let Some(part) = payload.next().await {
            let part = part.map_err(|error| failure(&error, seconds))?;
            if body.len() + part.len() > limit_bytes {
                return Err(Error::TooLarge { limit_bytes });
            }
            body.extend_from_slice(&part);
        }
        key.note_body(&body);
        Ok(body.freeze())
    }
}

/// `Content-Length`; 0 without one.
pub fn announced_bytes(request: &HttpRequest) -> usize {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

/// The error for a body that did not arrive.
pub fn failure(error: &PayloadError, seconds: u64) -> Error {
    if body_timeout::is_late(error) {
        return Error::TooSlow { seconds };
    }
    Error::invalid(InvalidRule::Argument, format!("the body ended early: {error}"))
}
