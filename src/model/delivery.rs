//! The retry policy for deliveries to LINE: decides what follows from an attempt.

use std::time::Duration;

use crate::model::accounts::account::SuspensionReason;
use crate::model::chats::message::FailureReason;
use crate::model::timestamp::Timestamp;

/// What LINE's response, or its absence, means for one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// LINE has accepted the request, in this attempt or an earlier one.
    Accepted(Acceptance),
    /// LINE refuses this request permanently.
    Refused(String),
    /// LINE refuses the reply token, which is used or too old; nothing was sent.
    TokenSpent(String),
    /// LINE takes nothing from this account at present; the request was definitely not executed.
    Suspended(SuspensionReason, String),
    /// LINE takes nothing for this chat or at this rate at present; the request was definitely not executed.
    TooFast(String),
    /// The request definitely did not reach LINE.
    NotSent(String),
    /// The request may have been executed.
    Ambiguous {
        /// Whether the response timed out, so that the chat may hold up others.
        timed_out: bool,
        /// What happened, for people.
        message: String,
    },
    /// The server itself failed during the attempt, which may have been executed.
    Crashed,
}

/// LINE's response to a request that it accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// `x-line-request-id` of the response.
    pub request_id: Option<String>,
    /// `x-line-accepted-request-id`, when an earlier attempt had been accepted (409).
    pub accepted_request_id: Option<String>,
    /// LINE's ids of the messages, in the order of the request.
    pub message_ids: Vec<String>,
    /// The token that quotes the first of these messages that can be quoted.
    pub quote_token: Option<String>,
}

/// The state of a delivery that a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryProgress {
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// Whether an earlier attempt may have been executed.
    pub ambiguous: bool,
    /// When the current retry key was first used.
    pub first_attempt_at: Timestamp,
}

/// What follows from an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryDecision {
    /// LINE has it.
    Accept(Acceptance),
    /// It fails.
    Fail(FailureReason, String),
    /// The same bytes are sent again later, with the same retry key.
    Retry {
        /// Not before this time.
        at: Timestamp,
        /// Whether any attempt so far may have been executed.
        ambiguous: bool,
        /// Whether the chat counts as slow, because it may hold up others.
        slow: bool,
        /// Why, for people.
        message: String,
    },
    /// It is sent as a push at once: the reply was definitely not executed.
    Push {
        /// Why not as a reply, for people.
        message: String,
    },
    /// The whole account is suspended.
    Suspend {
        /// Why.
        reason: SuspensionReason,
        /// When the probe is due: one message that is tried again.
        until: Timestamp,
        /// LINE's message.
        message: String,
    },
}

/// How often and how long a delivery is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The pause after the first failed attempt; it doubles with each further one.
    pub backoff_first: Duration,
    /// The longest pause between two attempts.
    pub backoff_max: Duration,
    /// An undecided delivery fails after this long. LINE forgets a retry key 24 hours after its first use.
    pub give_up_after: Duration,
}

/// Why a reply without a response is not repeated, for people.
pub const REPLY_UNKNOWN: &str = "it went out as a free reply and no clear answer came, so it may have been sent; a reply cannot be repeated safely";

impl Policy {
    /// The oldest reply token that is used. LINE takes one for about a minute.
    pub const REPLY_TOKEN_AGE_MAX: Duration = Duration::from_secs(45);

    /// A delivery that crashes the server's attempts fails after this many.
    pub const CRASHED_ATTEMPTS_MAX: u32 = 10;

    /// What follows from the outcome of a push. `jitter`, from 0 to 1, spreads attempts that failed together.
    pub fn decide(
        &self,
        progress: DeliveryProgress,
        outcome: PushOutcome,
        now: Timestamp,
        jitter: f64,
    ) -> DeliveryDecision {
        match outcome {
            PushOutcome::Accepted(acceptance) => DeliveryDecision::Accept(acceptance),
            PushOutcome::Refused(message) | PushOutcome::TokenSpent(message) => {
                DeliveryDecision::Fail(FailureReason::Refused, message)
            }
            PushOutcome::Suspended(reason, message) => {
                DeliveryDecision::Suspend { reason, until: now.after(suspension_time(reason)), message }
            }
            PushOutcome::TooFast(message) => {
                let at = now.after(self.backoff(progress.attempts, jitter));
                DeliveryDecision::Retry { at, ambiguous: progress.ambiguous, slow: false, message }
            }
            PushOutcome::NotSent(message) => {
                self.retry(progress, Again { timed_out: false, message }, now, jitter)
            }
            PushOutcome::Ambiguous { timed_out, message } => {
                let progress = DeliveryProgress { ambiguous: true, ..progress };
                self.retry(progress, Again { timed_out, message }, now, jitter)
            }
            PushOutcome::Crashed => self.after_crash(progress, now, jitter),
        }
    }

    /// What follows from the outcome of a reply. It is never safe to repeat one that may have been executed:
    /// replies have no retry key, and "invalid token" is also what LINE says when the first one worked.
    pub fn decide_reply(
        &self,
        progress: DeliveryProgress,
        outcome: PushOutcome,
        now: Timestamp,
        jitter: f64,
    ) -> DeliveryDecision {
        match outcome {
            PushOutcome::TokenSpent(message)
            | PushOutcome::TooFast(message)
            | PushOutcome::Suspended(SuspensionReason::Quota, message) => DeliveryDecision::Push { message },
            PushOutcome::Ambiguous { message, .. } => {
                let message = format!("{REPLY_UNKNOWN}: {message}");
                DeliveryDecision::Fail(FailureReason::OutcomeUnknown, message)
            }
            PushOutcome::Crashed => {
                DeliveryDecision::Fail(FailureReason::OutcomeUnknown, REPLY_UNKNOWN.to_owned())
            }
            other => self.decide(progress, other, now, jitter),
        }
    }

    /// The decision for an outcome that cannot be recorded: LINE may or may not have executed the request.
    pub fn unrecorded(&self, is_reply: bool, now: Timestamp) -> DeliveryDecision {
        if is_reply {
            return DeliveryDecision::Fail(FailureReason::OutcomeUnknown, REPLY_UNKNOWN.to_owned());
        }
        let message = "its outcome could not be recorded".to_owned();
        DeliveryDecision::Retry { at: now.after(self.backoff_max), ambiguous: true, slow: false, message }
    }

    /// Whether a delivery must not be attempted again: it is ambiguous, and LINE may have forgotten its retry key.
    pub fn expired(&self, progress: DeliveryProgress, now: Timestamp) -> bool {
        progress.ambiguous && now >= progress.first_attempt_at.after(self.give_up_after)
    }

    /// Whether the retry key is so old that LINE may have forgotten it.
    pub fn key_expired(&self, first_attempt_at: Timestamp, now: Timestamp) -> bool {
        now >= first_attempt_at.after(self.give_up_after)
    }

    fn after_crash(&self, progress: DeliveryProgress, now: Timestamp, jitter: f64) -> DeliveryDecision {
        let message = "the server failed during the attempt".to_owned();
        if progress.attempts >= Self::CRASHED_ATTEMPTS_MAX {
            return DeliveryDecision::Fail(FailureReason::Internal, message);
        }
        self.retry(
            DeliveryProgress { ambiguous: true, ..progress },
            Again { timed_out: false, message },
            now,
            jitter,
        )
    }

    fn retry(
        &self,
        progress: DeliveryProgress,
        again: Again,
        now: Timestamp,
        jitter: f64,
    ) -> DeliveryDecision {
        let DeliveryProgress { attempts, ambiguous, first_attempt_at } = progress;
        let at = now.after(self.backoff(attempts, jitter));
        if at >= first_attempt_at.after(self.give_up_after) {
            let reason = if ambiguous { FailureReason::OutcomeUnknown } else { FailureReason::Unreachable };
            return DeliveryDecision::Fail(reason, again.message);
        }
        DeliveryDecision::Retry { at, ambiguous, slow: again.timed_out, message: again.message }
    }

    /// The pause after this many attempts: it doubles up to the longest, and its second half is random.
    pub fn backoff(&self, attempts: u32, jitter: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(30);
        let full = self.backoff_first.saturating_mul(1 << doublings).min(self.backoff_max);
        full.div_f64(2.0) + full.div_f64(2.0).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

/// The time until a suspended account is probed.
fn suspension_time(reason: SuspensionReason) -> Duration {
    match reason {
        SuspensionReason::Token | SuspensionReason::Redirect => Duration::from_mins(5),
        SuspensionReason::Permission | SuspensionReason::Quota => Duration::from_hours(1),
    }
}

/// Why an attempt is repeated.
struct Again {
    timed_out: bool,
    message: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const START: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);
    const POLICY: Policy = Policy {
        backoff_first: Duration::from_secs(1),
        backoff_max: Duration::from_mins(10),
        give_up_after: Duration::from_hours(23),
    };
    const FIRST: DeliveryProgress =
        DeliveryProgress { attempts: 1, ambiguous: false, first_attempt_at: START };

    fn lost() -> PushOutcome {
        PushOutcome::Ambiguous { timed_out: true, message: "no answer".to_owned() }
    }

    fn not_sent() -> PushOutcome {
        PushOutcome::NotSent("connection refused".to_owned())
    }

    #[test]
    fn a_lost_response_is_retried_and_remembered_as_ambiguous() {
        let decision = POLICY.decide(FIRST, lost(), START, 1.0);

        let at = START.after(Duration::from_secs(1));
        assert_eq!(
            decision,
            DeliveryDecision::Retry { at, ambiguous: true, slow: true, message: "no answer".to_owned() }
        );
    }

    #[test]
    fn an_ambiguous_delivery_stays_ambiguous_when_a_later_attempt_was_not_sent() {
        let progress = DeliveryProgress { ambiguous: true, attempts: 2, ..FIRST };

        let decision = POLICY.decide(progress, not_sent(), START, 0.0);

        assert!(matches!(decision, DeliveryDecision::Retry { ambiguous: true, slow: false, .. }));
    }

    #[test]
    fn no_ambiguous_delivery_is_retried_after_twenty_three_hours() {
        let late = START.after(23 * HOUR).before(Duration::from_secs(1));

        let decision = POLICY.decide(FIRST, lost(), late, 1.0);

        assert!(matches!(decision, DeliveryDecision::Fail(FailureReason::OutcomeUnknown, _)));
        assert!(POLICY.expired(DeliveryProgress { ambiguous: true, ..FIRST }, START.after(23 * HOUR)));
        assert!(!POLICY.expired(FIRST, START.after(23 * HOUR)));
    }

    #[test]
    fn what_was_definitely_not_sent_fails_as_unreachable() {
        let decision = POLICY.decide(FIRST, not_sent(), START.after(23 * HOUR), 0.0);

        assert!(matches!(decision, DeliveryDecision::Fail(FailureReason::Unreachable, _)));
    }

    #[test]
    fn a_suspended_account_fails_no_message_however_late_it_is() {
        for reason in [
            SuspensionReason::Token,
            SuspensionReason::Permission,
            SuspensionReason::Quota,
            SuspensionReason::Redirect,
        ] {
            let outcome = PushOutcome::Suspended(reason, "no".to_owned());

            let decision = POLICY.decide(FIRST, outcome, START.after(100 * HOUR), 0.5);

            assert!(matches!(decision, DeliveryDecision::Suspend { .. }), "{reason:?} failed the message");
        }
    }

    #[test]
    fn a_rate_limited_chat_waits_and_never_fails() {
        let decision =
            POLICY.decide(FIRST, PushOutcome::TooFast("slow down".to_owned()), START.after(100 * HOUR), 0.0);

        assert!(matches!(decision, DeliveryDecision::Retry { ambiguous: false, slow: false, .. }));
    }

    #[test]
    fn a_delivery_that_keeps_crashing_attempts_fails() {
        let tenth = DeliveryProgress { attempts: 10, ..FIRST };

        assert!(matches!(
            POLICY.decide(FIRST, PushOutcome::Crashed, START, 0.0),
            DeliveryDecision::Retry { ambiguous: true, .. }
        ));
        assert!(matches!(
            POLICY.decide(tenth, PushOutcome::Crashed, START, 0.0),
            DeliveryDecision::Fail(FailureReason::Internal, _)
        ));
    }

    #[test]
    fn a_reply_is_pushed_only_when_it_was_definitely_not_executed() {
        let decide = |outcome| POLICY.decide_reply(FIRST, outcome, START, 0.0);

        for outcome in [
            PushOutcome::TokenSpent("spent".to_owned()),
            PushOutcome::TooFast("spent".to_owned()),
            PushOutcome::Suspended(SuspensionReason::Quota, "spent".to_owned()),
        ] {
            assert_eq!(decide(outcome), DeliveryDecision::Push { message: "spent".to_owned() });
        }
        for outcome in [lost(), PushOutcome::Crashed] {
            assert!(matches!(decide(outcome), DeliveryDecision::Fail(FailureReason::OutcomeUnknown, _)));
        }
        let token = PushOutcome::Suspended(SuspensionReason::Token, String::new());
        assert!(matches!(decide(token), DeliveryDecision::Suspend { .. }));
        assert!(matches!(decide(not_sent()), DeliveryDecision::Retry { ambiguous: false, .. }));
    }

    proptest! {
        #[test]
        fn pauses_grow_to_the_longest_and_no_further(attempts in 1..200_u32, jitter in 0.0..=1.0_f64) {
            let wait = POLICY.backoff(attempts, jitter);

            prop_assert!(wait >= POLICY.backoff_first / 2 && wait <= POLICY.backoff_max);
            prop_assert!(POLICY.backoff(attempts + 1, 0.0) >= POLICY.backoff(attempts, 0.0));
        }
    }

    #[test]
    fn an_outcome_that_cannot_be_recorded_is_unknown_and_only_a_push_is_repeated() {
        let reply = POLICY.unrecorded(true, START);
        let push = POLICY.unrecorded(false, START);

        assert_eq!(reply, DeliveryDecision::Fail(FailureReason::OutcomeUnknown, REPLY_UNKNOWN.to_owned()));
        let DeliveryDecision::Retry { at, ambiguous, .. } = push else { panic!("{push:?}") };
        assert_eq!((at, ambiguous), (START.after(POLICY.backoff_max), true));
    }
}
