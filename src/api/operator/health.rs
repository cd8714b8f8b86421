//! Whether the process is up, and whether it can do its work.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::runtime::app::App;
use crate::store::engine::{damage, schema};
use crate::store::outbox::backlog;

/// How long each check may take.
const CHECK_TIME_MAX: Duration = Duration::from_millis(800);

/// The process is up.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// The storage takes writes, the schema is this program's, and the workers are alive; else 503 with what is not.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let now = app.shared.clock.now();
    let storage = reason(in_time(app.shared.store.check_writable(now)).await);
    let schema = reason(in_time(app.shared.store.read(schema::require_current)).await);
    let workers = reason(app.shared.heartbeats.check());
    let ready = [&storage, &schema, &workers].iter().all(|state| *state == "ok");
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(json!({
        "status": if ready { "ready" } else { "unavailable" },
        "checks": { "storage": storage, "schema": schema, "workers": workers },
        "counters": app.shared.counters,
        "figures": figures(&app).await,
    }))
}

/// What an operator may want to know of a server that works all the same. What cannot be found out is null.
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

/// Whoever asks for readiness wants to know now.
async fn in_time<T>(check: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Unavailable("no answer in time".to_owned());
    tokio::time::timeout(CHECK_TIME_MAX, check).await.map_err(late)?
}

fn reason(check: Result<()>) -> String {
    check.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
}
