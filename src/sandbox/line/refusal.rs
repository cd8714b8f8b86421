//! Error responses of the control API.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::sandbox::people::buttons::Button;

/// A status and a message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    message: String,
    buttons: Option<Vec<Button>>,
}

impl Refusal {
    /// The resource does not exist.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what} {id}"))
    }

    /// The request is invalid.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message.into())
    }

    /// The people or the chat are not in a state that allows this.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, message.into())
    }

    /// There is no such button; lists the existing ones.
    pub fn no_button(buttons: Vec<Button>) -> Self {
        let message = "there is no such button; see buttons for the existing ones".to_owned();
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
