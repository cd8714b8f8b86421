//! Carrying the outbox to LINE: claim what is due, reply or push, write down what came of it.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::error::{Error, Result};
use crate::model::accounts::account::SuspensionReason;
use crate::model::capacity::Capacity;
use crate::model::clock::Clock;
use crate::model::delivery::{DeliveryDecision, Policy, PushOutcome};
use crate::model::secret::Secret;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::in_flight::InFlight;
use crate::runtime::outcomes::Outcomes;
use crate::runtime::tokens::{NO_TOKEN, Tokens};
use crate::runtime::wakers::{Stop, Waker};
use crate::store::Store;
use crate::store::outbox::deliveries::{self, Claimed, ClaimedDelivery};
use crate::store::outbox::{claims, lanes};
use crate::store::reader::Reader;
use crate::worker::{PAUSE_AFTER_FAILURE, jitter, pause, seeded};

/// A chat with more to say goes on at once up to this many messages; then others have their turn.
const CHAIN_MAX: usize = 32;

/// The worker that delivers.
#[derive(Clone)]
pub struct DeliveryWorker {
    store: Store,
    reader: Rc<Reader>,
    tokens: Tokens,
    outcomes: Outcomes,
    policy: Policy,
    concurrency: usize,
}

impl DeliveryWorker {
    /// A worker with up to `concurrency` requests to LINE at once.
    pub fn new(
        store: Store,
        tokens: Tokens,
        outcomes: Outcomes,
        policy: Policy,
        concurrency: usize,
    ) -> Result<Self> {
        let reader = Rc::new(store.reader()?);
        Ok(Self { store, reader, tokens, outcomes, policy, concurrency })
    }

    /// Delivers everything that is due once, and says how many attempts that were.
    pub async fn step(&self, clock: &Clock) -> Result<usize> {
        let claims = self.claim(clock, InFlight::new(self.concurrency).capacity()).await?;
        let attempts = claims.len();
        join_all(claims.into_iter().map(|claim| self.deliver(claim, clock, || false))).await;
        Ok(attempts)
    }

    /// Delivers until it is stopped; what is under way then is finished.
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
                    worker.deliver(claim, &clock, go_on).await;
                });
            }
            tokio::select! {
                () = in_flight.ended() => {}
                () = waker.woken() => {}
                () = tokio::time::sleep(self.pause(&clock)) => {}
                () = stop.requested() => break,
            }
        }
        in_flight.all_ended().await;
    }

    async fn claim(&self, clock: &Clock, room: Capacity) -> Result<Vec<ClaimedDelivery>> {
        if room.any == 0 {
            return Ok(Vec::new());
        }
        let policy = self.policy;
        let claimed = self.store.write(clock.now(), move |tx| claims::claim(tx, room, &policy)).await?;
        self.announce(&claimed);
        Ok(claimed.claims)
    }

    async fn claim_or_report(&self, clock: &Clock, room: Capacity) -> Vec<ClaimedDelivery> {
        match self.claim(clock, room).await {
            Ok(claims) => claims,
            Err(error) => {
                log::error!("delivery: {}", error.chain());
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                Vec::new()
            }
        }
    }

    /// Attempts until the lane has nothing due, or `go_on` or the chain's length says that it is enough.
    async fn deliver(&self, first: ClaimedDelivery, clock: &Clock, go_on: impl Fn() -> bool) {
        let mut claim = first;
        for left in (0..CHAIN_MAX).rev() {
            let decision = self.attempt(&claim, clock).await;
            let policy = (left > 0 && go_on()).then_some(self.policy);
            let Some(next) = self.record(claim, decision, policy, clock).await else { return };
            claim = next;
        }
    }

    /// One attempt, and what follows from it.
    async fn attempt(&self, claim: &ClaimedDelivery, clock: &Clock) -> DeliveryDecision {
        let sending = AssertUnwindSafe(seeded::send(self, claim, Self::send));
        let outcome = sending.catch_unwind().await.unwrap_or(PushOutcome::Crashed);
        let decide = if claim.reply_token.is_some() { Policy::decide_reply } else { Policy::decide };
        let decision = decide(&self.policy, claim.progress, outcome, clock.now(), jitter());
        self.outcomes.count(claim.reply_token.is_some(), &decision);
        report(claim, &decision);
        decision
    }

    /// Sends, and once more with a new token when LINE refuses the one it had, or there was none: a refused token executes nothing.
    async fn send(&self, claim: &ClaimedDelivery) -> PushOutcome {
        let outcome = if claim.token.is_empty() {
            PushOutcome::Parked(SuspensionReason::Token, NO_TOKEN.to_owned())
        } else {
            self.send_with(claim, &claim.token).await
        };
        if !matches!(outcome, PushOutcome::Parked(SuspensionReason::Token, _)) {
            return outcome;
        }
        match self.tokens.renew(claim.account_id, &claim.token).await {
            Ok(Some(token)) => self.send_with(claim, &token).await,
            Ok(None) => outcome,
            Err(Error::LineRefused { message, .. }) => PushOutcome::Parked(SuspensionReason::Token, message),
            Err(error) => PushOutcome::NotSent(error.chain()),
        }
    }

    async fn send_with(&self, claim: &ClaimedDelivery, token: &Secret) -> PushOutcome {
        let line = self.tokens.line();
        match &claim.reply_token {
            Some(reply_token) => line.reply(token, &claim.body, reply_token).await,
            None => line.push(token, &claim.body, claim.retry_key).await,
        }
    }

    /// Writes down what came of an attempt, however long the storage takes to accept it: without the record the lane
    /// could not go on. What the storage never will accept counts as unclear. With a policy, the lane's next delivery is
    /// taken at once if there is one.
    async fn record(
        &self,
        claim: ClaimedDelivery,
        mut decision: DeliveryDecision,
        policy: Option<Policy>,
        clock: &Clock,
    ) -> Option<ClaimedDelivery> {
        let mut is_spare = false;
        loop {
            match self.write_down(&claim, &decision, policy, clock).await {
                Ok(mut claimed) => {
                    self.announce(&claimed);
                    return claimed.claims.pop();
                }
                Err(error) if error.is_transient() => {
                    log::error!("delivery: an outcome was not recorded yet: {}", error.chain());
                    tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                }
                Err(error) if is_spare => {
                    let key = claim.retry_key;
                    log::error!("delivery: the chat of {key} waits for the next start: {}", error.chain());
                    return None;
                }
                Err(error) => {
                    let key = claim.retry_key;
                    log::error!(
                        "delivery: {key} counts as unclear, its outcome cannot be recorded: {}",
                        error.chain()
                    );
                    decision = self.policy.unrecorded(claim.reply_token.is_some(), clock.now());
                    is_spare = true;
                }
            }
        }
    }

    async fn write_down(
        &self,
        claim: &ClaimedDelivery,
        decision: &DeliveryDecision,
        policy: Option<Policy>,
        clock: &Clock,
    ) -> Result<Claimed> {
        let (claim, decision) = (claim.clone(), decision.clone());
        let write = self.store.write(clock.now(), move |tx| match &policy {
            Some(policy) => claims::record_and_go_on(tx, &claim, &decision, policy),
            None => deliveries::record(tx, &claim, &decision).map(Claimed::of_outcome),
        });
        write.await
    }

    fn announce(&self, claimed: &Claimed) {
        for message in &claimed.outcomes {
            self.outcomes.announce(*message);
        }
    }

    fn pause(&self, clock: &Clock) -> std::time::Duration {
        match self.reader.read(lanes::next_due) {
            Ok(due) => pause(due, clock.now()),
            Err(error) => {
                log::error!("delivery: {}", error.chain());
                PAUSE_AFTER_FAILURE
            }
        }
    }
}

/// What an operator should know of.
fn report(claim: &ClaimedDelivery, decision: &DeliveryDecision) {
    match decision {
        DeliveryDecision::Accept(_) => log::debug!("delivery: {} accepted", claim.retry_key),
        DeliveryDecision::Fail(reason, message) => {
            log::warn!("delivery: {} failed: {reason:?}: {message}", claim.retry_key);
        }
        DeliveryDecision::Retry { at, message, .. } => {
            log::info!("delivery: {} again at {at}: {message}", claim.retry_key);
        }
        DeliveryDecision::Push { message } => {
            log::info!("delivery: {} goes out as a push: {message}", claim.retry_key);
        }
        DeliveryDecision::Suspend { reason, until, message } => {
            log::warn!("delivery: the account is parked until {until} for {reason:?}: {message}");
        }
    }
}
