//! Health checks: liveness and readiness.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::runtime::app::App;
use crate::store::engine::{damage, schema};
use crate::store::outbox::backlog;

/// The time limit of each check.
const CHECK_TIME_MAX: Duration = Duration::from_millis(800);

/// Liveness: the process responds.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Readiness: storage accepts writes, the schema version is this program's, and the workers are alive;
/// otherwise 503 with the failing checks.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let now = app.shared.clock.now();
    let storage = reason(in_time(app.shared.store.check_writable(now)).await);
    let schema = reason(in_time(app.shared.store.read(schema::require_current)).await);
    let workers = reason(app.shared.heartbeats.check());
    let ready = [&storage, &schema, &workers].iter().all(|state| *state == "ok");
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(json!({
        "status": if ready { "ready" } else { "unavailable" },
        "checks": { "storage": storage, "schema": schema, "workers": workers },
        "counters": app.shared.counters,
        "figures": figures(&app).await,
    }))
}

/// Figures of interest to an operator that do not affect readiness. A figure that cannot be read is null.
async fn figures(app: &App) -> Value {
    let suspended = in_time(app.shared.store.read(backlog::suspended)).await;
    let suspended = suspended.map(|suspended| suspended.into_iter().collect::<BTreeMap<_, _>>());
    json!({
        "wal_bytes": app.shared.store.log_bytes(),
        "disk_free_bytes": app.shared.store.free_bytes().ok(),
        "accounts_suspended": suspended.ok(),
        "damaged_reads": damage::reads(),
    })
}

/// Bounds a check by [`CHECK_TIME_MAX`].
async fn in_time<T>(check: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Unavailable("timed out".to_owned());
    tokio::time::timeout(CHECK_TIME_MAX, check).await.map_err(late)?
}

fn reason(check: Result<()>) -> String {
    check.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
}
