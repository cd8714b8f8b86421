//! Metrics for a monitoring system, served on a port of their own so that API clients cannot reach them.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use crate::api::route::Route;
use crate::api::route::route_not_found;
use crate::error::Result;
use crate::metrics::page::{CONTENT_TYPE, MetricsPage};
use crate::runtime::app::Shared;
use crate::store::engine::{damage, schema};
use crate::store::outbox::backlog;

/// The routes of that port.
pub fn routes(service: &mut web::ServiceConfig) {
    Route::at("/metrics").get(get).register(service);
    service.default_service(web::to(route_not_found));
}

/// All metrics, as they are now.
pub async fn get(shared: web::Data<Arc<Shared>>) -> Result<HttpResponse> {
    let mut page = MetricsPage::new(&shared.metrics);
    add_process(&mut page, &shared);
    add_counters(&mut page, &shared);
    add_backlog(&mut page, &shared).await?;
    add_storage(&mut page, &shared);
    add_quotas(&mut page, &shared);
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(page.text()?))
}

fn add_process(page: &mut MetricsPage, shared: &Shared) {
    page.versions([
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("schema", schema::current_version().to_string()),
        ("sqlite", schema::sqlite_version().to_owned()),
    ]);
    page.number("start_time_seconds", "Unix time of the start", shared.started.as_seconds());
    page.number("feeds", "Open live feeds", shared.feeds.count());
}

fn add_counters(page: &mut MetricsPage, shared: &Shared) {
    let counters = &shared.counters;
    page.add("webhooks_refused", "Webhooks without a valid signature of LINE", &counters.webhooks_refused);
    page.add("events_stored", "LINE events stored", &counters.events_stored);
    page.add("events_duplicate", "LINE events that were already stored", &counters.events_duplicate);
    page.add("events_unread", "Stored events that could not be parsed", &counters.events_unread);
    page.add("panics", "Requests that ended in a panic", &counters.panics);
}

async fn add_backlog(page: &mut MetricsPage, shared: &Shared) -> Result<()> {
    let now = shared.clock.now();
    let backlog = shared.store.read(move |connection| backlog::measure(connection, now)).await?;
    let oldest = backlog.oldest.map_or(0, |oldest| now.since(oldest).as_secs());
    page.number("deliveries_waiting", "Requests to LINE without a final result", backlog.deliveries);
    page.number("deliveries_oldest_seconds", "Age of the oldest of them", oldest);
    let lanes = [("in_flight", backlog.in_flight), ("waiting", backlog.waiting), ("slow", backlog.slow)];
    let lanes = lanes.map(|(state, count)| (state.to_owned(), count));
    page.numbers(("lanes", "Chats with something to send"), "state", lanes);
    page.numbers(("accounts_suspended", "Suspended LINE accounts"), "reason", backlog.suspended);
    let oldest = backlog.oldest_undelivered.map_or(0, |oldest| now.since(oldest).as_secs());
    page.number("webhook_deliveries_waiting", "Events not yet delivered to customers", backlog.undelivered);
    page.number("webhook_deliveries_oldest_seconds", "Age of the oldest of them", oldest);
    let receivers = backlog.receivers.map(|(state, count)| (state.to_owned(), count));
    page.numbers(("webhook_endpoints", "Customers' failing endpoints"), "state", receivers);
    Ok(())
}

fn add_storage(page: &mut MetricsPage, shared: &Shared) {
    page.number("damaged_reads", "Reads that found damage in the database", damage::reads());
    page.number("wal_bytes", "Size of the database's write-ahead log", shared.store.log_bytes());
    if let Ok(free) = shared.store.free_bytes() {
        page.number("disk_free_bytes", "Free space on the data disk", free);
    }
}

/// The quotas that LINE last reported; this does not ask LINE.
fn add_quotas(page: &mut MetricsPage, shared: &Shared) {
    let known = shared.quotas.known();
    let used = known.iter().map(|(account, quota)| (account.to_string(), quota.used));
    let limits = known.iter().filter_map(|(account, quota)| Some((account.to_string(), quota.limit?)));
    page.numbers(
        ("quota_used_messages", "Messages sent this month, as last reported by LINE"),
        "account",
        used,
    );
    page.numbers(("quota_limit_messages", "Monthly message limit"), "account", limits);
}
