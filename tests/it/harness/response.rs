//! A server's response.

use awc::http::header::HeaderMap;
use serde_json::Value;

use crate::harness::contract::{self, Asked};

/// A response, read to its end.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Response {
    /// Sends a request and reads the whole response.
    pub async fn to(request: awc::ClientRequest, body: impl Into<Vec<u8>>) -> Self {
        Self::if_any(request, body).await.unwrap()
    }

    /// The same for a server that may be gone: the error in place of a whole response.
    pub async fn if_any(request: awc::ClientRequest, body: impl Into<Vec<u8>>) -> Result<Self, String> {
        let asked = Asked {
            method: request.get_method().clone(),
            url: request.get_uri().to_string().parse().unwrap(),
            body: body.into(),
        };
        let mut response = request.send_body(asked.body.clone()).await.map_err(|error| error.to_string())?;
        let body = response.body().limit(64 << 20).await.map_err(|error| error.to_string())?;
        let response = Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: String::from_utf8(body.to_vec()).unwrap(),
        };
        contract::check(&asked, &response).unwrap();
        Ok(response)
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// A header as text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The `reason` of an error, after checking that it has the contract's error format.
    #[track_caller]
    pub fn reason(&self) -> String {
        let error = self.json()["error"].clone();
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        assert_eq!(error["request_id"], self.header("x-request-id"), "{self:?}");
        for field in ["status", "message"] {
            assert!(error[field].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        }
        error["reason"].as_str().unwrap().to_owned()
    }
}
