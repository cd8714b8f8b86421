//! Whether the process is up, and whether it can do its work.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::api::app::App;
use crate::error::Error;
use crate::store::health;

/// The process is up.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// The storage takes writes, the schema is this program's, and the workers are alive; else 503 with what is not.
pub async fn ready(app: web::Data<App>) -> HttpResponse {
    let now = app.shared.clock.now();
    let storage = reason(app.shared.store.write(now, health::check_writable).await);
    let schema = reason(app.shared.store.read(health::check_schema).await);
    let workers = reason(app.shared.pulse.check());
    let ready = [&storage, &schema, &workers].iter().all(|state| *state == "ok");
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(json!({
        "status": if ready { "ready" } else { "unavailable" },
        "checks": { "storage": storage, "schema": schema, "workers": workers },
        "counters": app.shared.counters,
    }))
}

fn reason(check: Result<(), Error>) -> String {
    check.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
}
