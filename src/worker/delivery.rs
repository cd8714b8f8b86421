//! Delivers messages to LINE, as replies or pushes.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::error::Error;
use crate::model::accounts::account::SuspensionReason;
use crate::model::clock::Clock;
use crate::model::delivery::{DeliveryDecision, Policy, PushOutcome};
use crate::model::id::MessageId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::runtime::outcomes::Outcomes;
use crate::runtime::tokens::{NO_TOKEN, Tokens};
use crate::store::outbox::deliveries::ClaimedDelivery;
use crate::store::outbox::lanes::LineOutbox;
use crate::worker::outbox::Transport;
use crate::worker::{jitter, seeded};

/// Carries messages to LINE.
#[derive(Clone)]
pub struct LineTransport {
    tokens: Tokens,
    outcomes: Outcomes,
    policy: Policy,
}

impl LineTransport {
    /// A transport that calls LINE with these tokens, and reports to those who wait for an outcome.
    pub fn new(tokens: Tokens, outcomes: Outcomes, policy: Policy) -> Self {
        Self { tokens, outcomes, policy }
    }

    /// Sends, and once more with a new token when LINE refuses the one it had, or there was none: a refused token executes nothing.
    async fn send(&self, claim: &ClaimedDelivery) -> PushOutcome {
        let outcome = if claim.token.is_empty() {
            PushOutcome::Suspended(SuspensionReason::Token, NO_TOKEN.to_owned())
        } else {
            self.send_with(claim, &claim.token).await
        };
        if !matches!(outcome, PushOutcome::Suspended(SuspensionReason::Token, _)) {
            return outcome;
        }
        match self.tokens.renew(claim.account_id, &claim.token).await {
            Ok(Some(token)) => self.send_with(claim, &token).await,
            Ok(None) => outcome,
            Err(Error::LineRefused { message, .. }) => {
                PushOutcome::Suspended(SuspensionReason::Token, message)
            }
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
}

impl Transport for LineTransport {
    const NAME: &'static str = "delivery";

    type Outbox = LineOutbox;
    type Outcome = PushOutcome;

    fn outbox(&self) -> LineOutbox {
        LineOutbox { policy: self.policy }
    }

    async fn attempt(&self, claim: &ClaimedDelivery, _clock: &Clock) -> PushOutcome {
        let sending = AssertUnwindSafe(seeded::send(self, claim, Self::send));
        sending.catch_unwind().await.unwrap_or(PushOutcome::Crashed)
    }

    fn decide(&self, claim: &ClaimedDelivery, outcome: PushOutcome, now: Timestamp) -> DeliveryDecision {
        let is_reply = claim.reply_token.is_some();
        let decide = if is_reply { Policy::decide_reply } else { Policy::decide };
        let decision = decide(&self.policy, claim.progress, outcome, now, jitter());
        self.outcomes.count(is_reply, &decision);
        report(claim, &decision);
        decision
    }

    fn unrecorded(&self, claim: &ClaimedDelivery, now: Timestamp) -> DeliveryDecision {
        self.policy.unrecorded(claim.reply_token.is_some(), now)
    }

    fn label(claim: &ClaimedDelivery) -> String {
        claim.retry_key.to_string()
    }

    fn announce(&self, message: MessageId) {
        self.outcomes.announce(message);
    }
}

/// Logs what an operator should know.
fn report(claim: &ClaimedDelivery, decision: &DeliveryDecision) {
    match decision {
        DeliveryDecision::Accept(_) => log::debug!("delivery: {} accepted", claim.retry_key),
        DeliveryDecision::Fail(reason, message) => {
            log::warn!("delivery: {} failed: {reason:?}: {message}", claim.retry_key);
        }
        DeliveryDecision::Retry { at, message, .. } => {
            log::info!("delivery: {} is retried at {at}: {message}", claim.retry_key);
        }
        DeliveryDecision::Push { message } => {
            log::info!("delivery: {} is sent as a push: {message}", claim.retry_key);
        }
        DeliveryDecision::Suspend { reason, until, message } => {
            log::warn!("delivery: the account is suspended until {until} for {reason:?}: {message}");
        }
    }
}
