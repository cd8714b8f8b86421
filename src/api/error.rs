//! Turns errors into HTTP responses: the catalogue of statuses and reasons.
//!
//! Reasons are part of the contract: they are added, never removed.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::json::JSON_TYPE;
use crate::error::{Error, InvalidProperty, InvalidRule, Resource};

/// The most details in one response: a single request can have very many.
const DETAILS_MAX: usize = 100;

/// The body of every error response.
#[derive(Serialize)]
struct ErrorEnvelope<'a> {
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    status: &'static str,
    reason: &'static str,
    message: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

/// The response to a failed request. The text of an internal error is not part of it.
pub fn respond(error: &Error, request_id: &str) -> HttpResponse {
    let (code, status, reason) = entry(error);
    let failure =
        ErrorBody { status, reason, message: &error.to_string(), request_id, details: details(error) };
    let body = serde_json::to_vec(&ErrorEnvelope { error: failure }).expect("the envelope is always JSON");
    let mut response = HttpResponse::build(code);
    response.insert_header((CONTENT_TYPE, JSON_TYPE));
    match error {
        Error::MethodNotAllowed { allow } => drop(response.insert_header((ALLOW, allow.as_str()))),
        // Every 401 must name the accepted scheme (RFC 9110, 15.5.2).
        Error::NoCredentials | Error::BadCredentials(_) => {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        Error::NoSuchRange { size } => {
            response.insert_header((CONTENT_RANGE, format!("bytes */{size}")));
        }
        // Whole seconds, rounded up so that a client that obeys is not too early.
        Error::TooMany { wait, .. } => {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.insert_header((RETRY_AFTER, seconds));
        }
        // The rest of the body may still be arriving and is not read.
        Error::TooSlow { .. } | Error::TooLarge { .. } | Error::FileTooLarge(_) => {
            response.force_close();
        }
        _ => {}
    }
    response.body(body)
}

/// The error for a failure that the framework responded to itself.
pub fn translate(code: StatusCode) -> Error {
    match code {
        StatusCode::NOT_FOUND => Error::NotFound(Resource::Route),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Error::UnsupportedMediaType("this media type is not supported here")
        }
        _ if code.is_client_error() => Error::invalid(InvalidRule::Argument, "the request cannot be read"),
        _ => Error::internal(format!("the framework responded with {code}")),
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        entry(self).0
    }

    fn error_response(&self) -> HttpResponse {
        respond(self, "")
    }
}

/// HTTP status, status word and reason.
fn entry(error: &Error) -> (StatusCode, &'static str, &'static str) {
    use StatusCode as Code;
    match error {
        Error::Invalid { rule, .. } => (Code::BAD_REQUEST, "INVALID_ARGUMENT", rule_reason(*rule)),
        Error::InvalidProperties(_) => {
            (Code::BAD_REQUEST, "INVALID_ARGUMENT", rule_reason(InvalidRule::Argument))
        }
        Error::NoCredentials => (Code::UNAUTHORIZED, "UNAUTHENTICATED", "AUTHENTICATION_REQUIRED"),
        Error::BadCredentials(_) => (Code::UNAUTHORIZED, "UNAUTHENTICATED", "INVALID_CREDENTIALS"),
        Error::Forbidden(_) => (Code::FORBIDDEN, "PERMISSION_DENIED", "PERMISSION_DENIED"),
        Error::NotFound(resource) | Error::NotHere(resource, _) => {
            (Code::NOT_FOUND, "NOT_FOUND", resource_reason(*resource))
        }
        Error::MethodNotAllowed { .. } => {
            (Code::METHOD_NOT_ALLOWED, "INVALID_ARGUMENT", "METHOD_NOT_ALLOWED")
        }
        Error::Conflict(_) => (Code::CONFLICT, "FAILED_PRECONDITION", "STATE_INVALID"),
        Error::KeyInUse => (Code::CONFLICT, "FAILED_PRECONDITION", "IDEMPOTENCY_KEY_IN_USE"),
        Error::KeyReused => (Code::UNPROCESSABLE_ENTITY, "INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED"),
        Error::NoSuchRange { .. } => {
            (Code::RANGE_NOT_SATISFIABLE, "INVALID_ARGUMENT", "RANGE_NOT_SATISFIABLE")
        }
        Error::TooSlow { .. } => (Code::REQUEST_TIMEOUT, "INVALID_ARGUMENT", "REQUEST_TIMEOUT"),
        Error::TooLarge { .. } | Error::FileTooLarge(_) => {
            (Code::PAYLOAD_TOO_LARGE, "INVALID_ARGUMENT", "BODY_TOO_LARGE")
        }
        Error::UnsupportedMediaType(_) => {
            (Code::UNSUPPORTED_MEDIA_TYPE, "INVALID_ARGUMENT", "UNSUPPORTED_MEDIA_TYPE")
        }
        Error::TooMany { .. } => (Code::TOO_MANY_REQUESTS, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"),
        Error::LineRefused { .. } => (Code::BAD_GATEWAY, "UNAVAILABLE", "LINE_REFUSED"),
        Error::LineUnavailable(_) => (Code::BAD_GATEWAY, "UNAVAILABLE", "LINE_UNAVAILABLE"),
        Error::Unavailable(_) => (Code::SERVICE_UNAVAILABLE, "UNAVAILABLE", "SERVICE_UNAVAILABLE"),
        Error::Unusable(_) | Error::Internal(_) => (Code::INTERNAL_SERVER_ERROR, "INTERNAL", "INTERNAL"),
    }
}

fn rule_reason(rule: InvalidRule) -> &'static str {
    match rule {
        InvalidRule::JsonBody => "INVALID_JSON_BODY",
        InvalidRule::Id => "INVALID_ID",
        InvalidRule::Argument => "INVALID_ARGUMENT",
        InvalidRule::PageToken => "INVALID_PAGE_TOKEN",
        InvalidRule::TextLength => "TEXT_TOO_LONG",
        InvalidRule::ReferenceType => "UNSUPPORTED_REFERENCE_TYPE",
        InvalidRule::LineAccount => "LINE_ACCOUNT_NOT_CONFIGURED",
    }
}

fn resource_reason(resource: Resource) -> &'static str {
    match resource {
        Resource::Conversation => "CONVERSATION_NOT_FOUND",
        Resource::Message => "MESSAGE_NOT_FOUND",
        Resource::Account => "ACCOUNT_NOT_FOUND",
        Resource::Customer => "CUSTOMER_NOT_FOUND",
        Resource::Media => "MEDIA_NOT_FOUND",
        Resource::WebhookDelivery => "WEBHOOK_DELIVERY_NOT_FOUND",
        Resource::Route => "ROUTE_NOT_FOUND",
    }
}

fn details(error: &Error) -> Vec<Value> {
    match error {
        Error::LineRefused { status, message, account } => {
            vec![json!({ "account_id": account, "line_status": status, "line_message": message })]
        }
        Error::InvalidProperties(properties) => properties
            .iter()
            .take(DETAILS_MAX)
            .map(|InvalidProperty { property, message }| json!({ "property": property, "message": message }))
            .collect(),
        _ => Vec::new(),
    }
}
