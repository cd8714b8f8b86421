//! Starts the workers of a server, each with what it needs.

use actix_web::rt;
use futures_util::future::try_join_all;
use tokio::task::JoinHandle;

use crate::error::Result;
use crate::line::client::LineClient;
use crate::model::capacity::crowd;
use crate::model::delivery::Policy;
use crate::net::outbound_client::OutboundClient;
use crate::net::ssrf_guard::SsrfGuard;
use crate::runtime::app::Shared;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::tokens::Tokens;
use crate::runtime::wakers::{Stop, Waker};
use crate::worker::backups::BackupWorker;
use crate::worker::delivery::LineTransport;
use crate::worker::events::EventWorker;
use crate::worker::media::{self, MediaSources, MediaWorker};
use crate::worker::names::NameWorker;
use crate::worker::outbox::OutboxWorker;
use crate::worker::quotas::QuotaWorker;
use crate::worker::retention::RetentionWorker;
use crate::worker::tokens::TokenWorker;
use crate::worker::webhooks::WebhookTransport;
use crate::worker::{self, Worker, WorkerContext};

/// Starts all workers. The future resolves when all have ended, or when one has panicked.
pub fn spawn(shared: &Shared, stop: &Stop) -> Result<impl Future<Output = ()> + use<>> {
    let mut workers = senders(shared, stop)?;
    workers.extend([medias(shared, stop)?, webhooks(shared, stop)?]);
    workers.extend(maintenance(shared, stop)?);
    Ok(async move {
        if try_join_all(workers).await.is_err() {
            log::error!("a worker panicked");
        }
    })
}

/// The workers that call LINE on behalf of accounts.
fn senders(shared: &Shared, stop: &Stop) -> Result<Vec<JoinHandle<()>>> {
    let Shared { config, store, wakers, outcomes, heartbeats, quotas, .. } = shared;
    let policy = Policy {
        backoff_first: config.delivery.backoff_first,
        backoff_max: config.delivery.backoff_max,
        give_up_after: config.delivery.give_up_after,
    };
    let concurrency = config.delivery.concurrency;
    // Separate clients: requests that hang in one must not exhaust the connections of the other.
    let names =
        NameWorker::new(store.clone(), tokens(shared, NameWorker::CONCURRENCY), wakers.medias.clone())?;
    let tokens = tokens(shared, crowd(concurrency));
    let line = LineTransport::new(tokens.clone(), outcomes.clone(), policy);
    let deliveries = OutboxWorker::new(store.clone(), line, concurrency)?;
    let is_watched = config.metrics.listen.is_some();
    let quotas = QuotaWorker::new(store.clone(), tokens.clone(), quotas.clone(), is_watched);
    let tokens = TokenWorker::new(tokens)?;
    Ok(vec![
        start(names, shared, &wakers.names, &heartbeats.names, stop),
        start(deliveries, shared, &wakers.deliveries, &heartbeats.deliveries, stop),
        start(tokens, shared, &wakers.tokens, &heartbeats.tokens, stop),
        start(quotas, shared, &Waker::default(), &heartbeats.quotas, stop),
    ])
}

/// The media worker has its own clients, so that large files take no connections from messages.
fn medias(shared: &Shared, stop: &Stop) -> Result<JoinHandle<()>> {
    let Shared { config, store, media_store, wakers, heartbeats, metrics, .. } = shared;
    // One more than the files fetched at once: a token may be needed while all of them are in flight.
    let tokens = tokens(shared, media::FROM_LINE + 1);
    let guard = SsrfGuard::new(&config.limits.allowed_hosts);
    let outbound = OutboundClient::new(guard, media::FROM_ELSEWHERE);
    let sources = MediaSources::new(tokens, outbound, &config.limits, metrics.fetches());
    let worker = MediaWorker::new(store.clone(), media_store.clone(), sources)?;
    Ok(start(worker, shared, &wakers.medias, &heartbeats.medias, stop))
}

/// The webhook worker calls addresses that customers choose, hence the SSRF guard.
fn webhooks(shared: &Shared, stop: &Stop) -> Result<JoinHandle<()>> {
    let Shared { config, store, wakers, heartbeats, metrics, .. } = shared;
    let guard = SsrfGuard::new(&config.limits.allowed_hosts);
    let outbound = OutboundClient::new(guard, crowd(config.webhooks.concurrency));
    let transport = WebhookTransport::new(outbound, &config.webhooks, metrics.webhook_deliveries());
    let worker = OutboxWorker::new(store.clone(), transport, config.webhooks.concurrency)?;
    Ok(start(worker, shared, &wakers.webhooks, &heartbeats.webhooks, stop))
}

/// The workers that delete expired data and make backups.
fn maintenance(shared: &Shared, stop: &Stop) -> Result<[JoinHandle<()>; 3]> {
    let Shared { config, store, media_store, wakers, heartbeats, metrics, .. } = shared;
    let events = EventWorker::new(store.clone(), config.retention.events)?;
    let backups = BackupWorker::new(config, media_store, metrics.backups())?;
    let retention = RetentionWorker::new(store.clone(), &config.retention);
    Ok([
        start(events, shared, &wakers.events, &heartbeats.events, stop),
        start(backups, shared, &Waker::default(), &heartbeats.backups, stop),
        start(retention, shared, &Waker::default(), &heartbeats.retention, stop),
    ])
}

/// Runs a worker on this thread.
fn start(
    worker: impl Worker + 'static,
    shared: &Shared,
    waker: &Waker,
    heartbeat: &Heartbeat,
    stop: &Stop,
) -> JoinHandle<()> {
    let context = WorkerContext {
        clock: shared.clock.clone(),
        waker: waker.clone(),
        heartbeat: heartbeat.clone(),
        stop: stop.clone(),
    };
    rt::spawn(worker::run(worker, context))
}

/// Tokens with their own LINE client of up to `connections` concurrent requests.
fn tokens(shared: &Shared, connections: usize) -> Tokens {
    let line = LineClient::new(&shared.config.line, connections);
    Tokens::new(shared.store.clone(), line, shared.clock.clone(), shared.renewals.clone())
}
