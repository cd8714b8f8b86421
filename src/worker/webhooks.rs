//! Telling customers of events: claim what is due, call the receiver, write down what came of it.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::config::section::WebhookSettings;
use crate::error::Result;
use crate::metrics::WebhookDeliveries;
use crate::model::capacity::Capacity;
use crate::model::clock::Clock;
use crate::model::webhooks::webhook::{self, AttemptError, WebhookDecision, WebhookOutcome};
use crate::model::webhooks::webhook_delivery::WebhookAttempt;
use crate::net::outbound_client::OutboundClient;
use crate::net::webhook_call::WebhookCall;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::in_flight::InFlight;
use crate::runtime::wakers::{Stop, Waker};
use crate::store::reader::Reader;
use crate::store::webhooks::deliveries::ClaimedWebhook;
use crate::store::{Store, webhooks};
use crate::worker::{PAUSE_AFTER_FAILURE, jitter, pause};

/// Of all calls at once, the part that one customer may have.
const SHARE: usize = 4;

/// When it is told again what was told with an outcome that cannot be written down.
const PAUSE_AFTER_FAILED_RECORD: Duration = Duration::from_hours(1);

/// A conversation with more to tell goes on at once up to this many events; then others have their turn.
const CHAIN_MAX: usize = 32;

/// The worker that tells customers.
#[derive(Clone)]
pub struct WebhookWorker {
    store: Store,
    reader: Rc<Reader>,
    hooks: OutboundClient,
    concurrency: usize,
    time_limit: Duration,
    told: WebhookDeliveries,
}

impl WebhookWorker {
    /// A worker that calls with this client.
    pub fn new(
        store: Store,
        hooks: OutboundClient,
        settings: &WebhookSettings,
        told: WebhookDeliveries,
    ) -> Result<Self> {
        let reader = Rc::new(store.reader()?);
        let WebhookSettings { concurrency, timeout } = *settings;
        Ok(Self { store, reader, hooks, concurrency, time_limit: timeout, told })
    }

    /// Tells everything that is due once, and says how many calls that were.
    pub async fn step(&self, clock: &Clock) -> Result<usize> {
        let claims = self.claim(clock, InFlight::new(self.concurrency).capacity()).await?;
        let calls = claims.len();
        join_all(claims.into_iter().map(|claim| self.tell(claim, clock, || false))).await;
        Ok(calls)
    }

    /// Tells customers until it is stopped; what is under way then is finished.
    pub async fn run(self, clock: Clock, waker: Waker, heartbeat: Heartbeat, mut stop: Stop) {
        let mut in_flight = InFlight::new(self.concurrency);
        loop {
            heartbeat.beat();
            for claim in self.claim_or_report(&clock, in_flight.capacity()).await {
                let (worker, clock, stop) = (self.clone(), clock.clone(), stop.clone());
                let slow = claim.slow;
                in_flight.begin(slow, |since| async move {
                    let go_on = || {
                        since.restart();
                        !stop.is_requested()
                    };
                    worker.tell(claim, &clock, go_on).await;
                });
            }
            let pause = self.pause(&clock);
            tokio::select! {
                () = in_flight.ended() => {}
                () = waker.woken() => {}
                () = self.store.webhook_was_enqueued() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.requested() => break,
            }
        }
        in_flight.all_ended().await;
    }

    /// Looks before it writes: most commits have nothing for it.
    async fn claim(&self, clock: &Clock, room: Capacity) -> Result<Vec<ClaimedWebhook>> {
        if room.any == 0 || !self.is_due(clock)? {
            return Ok(Vec::new());
        }
        let each = self.concurrency.div_ceil(SHARE);
        self.store.write(clock.now(), move |tx| webhooks::deliveries::claim(tx, room, each)).await
    }

    async fn claim_or_report(&self, clock: &Clock, room: Capacity) -> Vec<ClaimedWebhook> {
        match self.claim(clock, room).await {
            Ok(claims) => claims,
            Err(error) => {
                log::error!("webhooks: {}", error.chain());
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                Vec::new()
            }
        }
    }

    /// Tells until the lane has nothing due, or `go_on` or the chain's length says that it is enough.
    async fn tell(&self, first: ClaimedWebhook, clock: &Clock, go_on: impl Fn() -> bool) {
        let mut claim = first;
        for left in (0..CHAIN_MAX).rev() {
            let attempt = self.attempt(&claim, clock).await;
            let decision = webhook::decide(claim.progress, attempt.outcome, clock.now(), jitter());
            self.told.add(name(decision));
            report(&claim, attempt.outcome, decision);
            let chained = left > 0 && go_on();
            let Some(next) = self.record(claim, attempt, (decision, chained), clock).await else { return };
            claim = next;
        }
    }

    async fn attempt(&self, claim: &ClaimedWebhook, clock: &Clock) -> WebhookAttempt {
        let (started_at, began) = (clock.now(), Instant::now());
        let id = claim.id.to_string();
        let call = WebhookCall {
            uri: &claim.uri,
            method: &claim.method,
            id: &id,
            at: started_at,
            secrets: &claim.secrets,
            body: &claim.body,
        };
        let telling = AssertUnwindSafe(self.hooks.deliver(call, self.time_limit)).catch_unwind();
        let outcome = telling.await.unwrap_or(WebhookOutcome::Failed(AttemptError::Interrupted));
        WebhookAttempt { number: claim.number, started_at, duration: began.elapsed(), outcome }
    }

    /// Writes down what came of an attempt, however long the storage takes to accept it: without the record the lane
    /// could not go on. What the storage never will accept is told again much later. If it is to be chained, the lane's next
    /// delivery is taken at once if there is one.
    async fn record(
        &self,
        claim: ClaimedWebhook,
        attempt: WebhookAttempt,
        (decision, chained): (WebhookDecision, bool),
        clock: &Clock,
    ) -> Option<ClaimedWebhook> {
        loop {
            let again = claim.clone();
            let write = self.store.write(clock.now(), move |tx| {
                if chained {
                    return webhooks::deliveries::record_and_go_on(tx, &again, &attempt, decision);
                }
                webhooks::deliveries::record(tx, &again, &attempt, decision).map(|()| None)
            });
            match write.await {
                Ok(next) => return next,
                Err(error) if error.is_transient() => {
                    log::error!("webhooks: an outcome was not recorded yet: {}", error.chain());
                    tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                }
                Err(error) => {
                    log::error!("webhooks: {}: an outcome cannot be recorded: {}", claim.id, error.chain());
                    self.release(claim, clock).await;
                    return None;
                }
            }
        }
    }

    async fn release(&self, claim: ClaimedWebhook, clock: &Clock) {
        let (id, at) = (claim.id, clock.now().after(PAUSE_AFTER_FAILED_RECORD));
        let put =
            self.store.write(clock.now(), move |tx| webhooks::deliveries::release(tx, &claim, at)).await;
        if let Err(error) = put {
            log::error!("webhooks: {id} waits for the next start: {}", error.chain());
        }
    }

    fn is_due(&self, clock: &Clock) -> Result<bool> {
        let due = self.reader.read(webhooks::lanes::next_due)?;
        // What is due later than any schedule has it was put off by a clock that was ahead.
        let now = clock.now();
        Ok(due.is_some_and(|due| due <= now || due > now.after(webhook::PAUSE_MAX)))
    }

    fn pause(&self, clock: &Clock) -> Duration {
        match self.reader.read(webhooks::lanes::next_due) {
            Ok(due) => pause(due, clock.now()),
            Err(error) => {
                log::error!("webhooks: {}", error.chain());
                PAUSE_AFTER_FAILURE
            }
        }
    }
}

/// What became of an attempt, for the count.
const fn name(decision: WebhookDecision) -> &'static str {
    match decision {
        WebhookDecision::Deliver => "delivered",
        WebhookDecision::Retry(_) => "retried",
        WebhookDecision::Wait(_) => "put_off",
        WebhookDecision::Fail => "failed",
    }
}

/// What an operator should know of. The address is the customer's, and may hold a secret.
fn report(claim: &ClaimedWebhook, outcome: WebhookOutcome, decision: WebhookDecision) {
    let ClaimedWebhook { id, number, .. } = claim;
    match decision {
        WebhookDecision::Deliver => log::debug!("webhooks: {id} delivered"),
        WebhookDecision::Retry(at) | WebhookDecision::Wait(at) => {
            log::info!("webhooks: {id} again at {at}, attempt {number}: {outcome:?}");
        }
        WebhookDecision::Fail => log::warn!("webhooks: {id} failed, attempt {number}: {outcome:?}"),
    }
}
