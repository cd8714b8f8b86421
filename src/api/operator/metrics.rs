//! The numbers of the server for a monitoring system. They are served on a port of their own, so that whoever reaches the
//! interface does not reach them.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use crate::api::route::Route;
use crate::api::route::route_not_found;
use crate::error::Result;
use crate::metrics::page::{CONTENT_TYPE, MetricsPage};
use crate::runtime::app::Shared;
use crate::store::engine::{damage, schema};
use crate::store::outbox::backlog;

/// The only route of that port.
pub fn routes(service: &mut web::ServiceConfig) {
    Route::at("/metrics").get(get).register(service);
    service.default_service(web::to(route_not_found));
}

/// All numbers, as they are now.
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
    page.number("feeds", "Live feeds that are open", shared.feeds.count());
}

fn add_counters(page: &mut MetricsPage, shared: &Shared) {
    let counters = &shared.counters;
    page.add("webhooks_refused", "Webhooks without LINE's signature", &counters.webhooks_refused);
    page.add("events_stored", "Events of LINE that were stored", &counters.events_stored);
    page.add("events_duplicate", "Events that had been stored before", &counters.events_duplicate);
    page.add("events_unread", "Stored events that were not understood", &counters.events_unread);
    page.add("panics", "Requests that ended in a panic", &counters.panics);
}

async fn add_backlog(page: &mut MetricsPage, shared: &Shared) -> Result<()> {
    let now = shared.clock.now();
    let backlog = shared.store.read(move |connection| backlog::measure(connection, now)).await?;
    let oldest = backlog.oldest.map_or(0, |oldest| now.since(oldest).as_secs());
    page.number("deliveries_waiting", "Requests to LINE that are not decided", backlog.deliveries);
    page.number("deliveries_oldest_seconds", "Age of the oldest of them", oldest);
    let lanes = [("in_flight", backlog.in_flight), ("waiting", backlog.waiting), ("slow", backlog.slow)];
    let lanes = lanes.map(|(state, count)| (state.to_owned(), count));
    page.numbers(("lanes", "Chats with something to send"), "state", lanes);
    page.numbers(("accounts_suspended", "LINE accounts that send nothing"), "reason", backlog.suspended);
    let oldest = backlog.oldest_undelivered.map_or(0, |oldest| now.since(oldest).as_secs());
    page.number(
        "webhook_deliveries_waiting",
        "Events that customers are still to be told",
        backlog.undelivered,
    );
    page.number("webhook_deliveries_oldest_seconds", "Age of the oldest of them", oldest);
    let receivers = backlog.receivers.map(|(state, count)| (state.to_owned(), count));
    page.numbers(("webhook_endpoints", "Customers' endpoints that do not work"), "state", receivers);
    Ok(())
}

fn add_storage(page: &mut MetricsPage, shared: &Shared) {
    page.number("damaged_reads", "Times that something damaged was read in the database", damage::reads());
    page.number("wal_bytes", "Size of the database's log", shared.store.log_bytes());
    if let Ok(free) = shared.store.free_bytes() {
        page.number("disk_free_bytes", "Room on the disk of the data", free);
    }
}

/// What LINE said when it was asked last; nobody waits for LINE here.
fn add_quotas(page: &mut MetricsPage, shared: &Shared) {
    let known = shared.quotas.known();
    let used = known.iter().map(|(account, quota)| (account.to_string(), quota.used));
    let limits = known.iter().filter_map(|(account, quota)| Some((account.to_string(), quota.limit?)));
    page.numbers(("quota_used_messages", "Messages of this month, as last asked"), "account", used);
    page.numbers(("quota_limit_messages", "Messages that a month may have"), "account", limits);
}
