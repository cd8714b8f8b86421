//! The content type of JSON bodies.

use actix_web::http::header::HeaderValue;

/// Without a charset parameter: JSON is always UTF-8 (RFC 8259).
pub const JSON_TYPE: HeaderValue = HeaderValue::from_static("application/json");
