//! What the control API says when it cannot do what it was asked.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::sandbox::people::buttons::Button;

/// A status and the reason for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    message: String,
    buttons: Option<Vec<Button>>,
}

impl Refusal {
    /// There is no such thing.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} {id}"))
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message.into())
    }

    /// People are not in a position to do this.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message.into())
    }

    /// There is nothing like that to press, but these.
    pub fn no_button(buttons: Vec<Button>) -> Self {
        let message = "there is no such button; buttons lists what there is".to_owned();
        Self { buttons: Some(buttons), ..Self::new(StatusCode::NOT_FOUND, message) }
    }

    fn new(status: StatusCode, message: String) -> Self {
        Self { status, message, buttons: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({ "message": self.message });
        if let Some(buttons) = &self.buttons {
            body["buttons"] = json!(buttons);
        }
        HttpResponse::build(self.status).json(body)
    }
}
