//! The type of most bodies.

use actix_web::http::header::HeaderValue;

/// Bodies of this server are JSON and nobody else's business.
pub const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");
