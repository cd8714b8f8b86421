//! The records of what the sandbox did.

use actix_web::web::{Data, Json, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sandbox::platform::Platform;
use crate::sandbox::records::{Executed, RequestRecord, Violation, WebhookRecord};

/// Maximum number of entries in a response.
const ENTRIES_MAX: usize = 100_000;

/// How many of the latest records are requested.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordPage {
    last: Option<usize>,
}

impl RecordPage {
    fn count(&self) -> usize {
        self.last.unwrap_or(ENTRIES_MAX)
    }
}

/// `GET /sandbox/executed`
pub async fn executed(page: Query<RecordPage>, platform: Data<Platform>) -> Json<Vec<Executed>> {
    Json(platform.with(|state| state.executed.last(page.count())))
}

/// `GET /sandbox/requests`
pub async fn requests(page: Query<RecordPage>, platform: Data<Platform>) -> Json<Vec<RequestRecord>> {
    Json(platform.with(|state| state.requests.last(page.count())))
}

/// `GET /sandbox/violations`
pub async fn violations(page: Query<RecordPage>, platform: Data<Platform>) -> Json<Vec<Violation>> {
    Json(platform.with(|state| state.violations.last(page.count())))
}

/// `GET /sandbox/attempts`
pub async fn attempts(page: Query<RecordPage>, platform: Data<Platform>) -> Json<Vec<WebhookRecord>> {
    Json(platform.with(|state| state.attempts.last(page.count())))
}

/// `DELETE /sandbox/records`
pub async fn forget(platform: Data<Platform>) -> Json<Value> {
    platform.forget_records();
    Json(json!({}))
}
