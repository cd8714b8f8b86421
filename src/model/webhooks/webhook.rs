//! The retry policy for webhooks: what a receiver's response means, and when the next attempt is due.

use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// The pauses after failed attempts, which the Standard Webhooks specification proposes: ten attempts in a little more than
/// three days.
const PAUSES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// The part by which each pause is randomly shorter or longer, so that attempts that failed together are not repeated together.
const JITTER: f64 = 0.1;

/// The longest pause of the schedule, with the most that `JITTER` adds to it.
pub const PAUSE_MAX: Duration = Duration::from_hours(27);

/// How long a delivery waits for a receiver that always asks for more time.
const PATIENCE: Duration = Duration::from_hours(76);

/// The shortest pause for a `Retry-After`.
const ASKED_PAUSE_MIN: Duration = Duration::from_secs(5);

/// The longest pause for a `Retry-After`.
pub const ASKED_PAUSE_MAX: Duration = Duration::from_hours(1);

/// The pause after a 429 without `Retry-After`.
const TOO_MUCH_PAUSE: Duration = Duration::from_secs(30);

/// An endpoint that fails for this long without a success is disabled.
const FAILING_MAX: Duration = Duration::from_hours(5 * 24);

/// The outcome of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// The receiver responded.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The pause that it asks for.
        retry_after: Option<Duration>,
    },
    /// There was no response.
    Failed(AttemptError),
}

/// Why there was no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptError {
    /// It timed out.
    Timeout,
    /// There was no connection, or it broke.
    Unreachable,
    /// The address is not allowed: it is in a private network, or not https.
    AddressRefused,
    /// The response is not HTTP, or a success that broke off before its end.
    AnswerUnreadable,
    /// This server stopped or failed during the attempt.
    Interrupted,
}

/// The state of a delivery that a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookProgress {
    /// Attempts that the schedule counts, this one included.
    pub tries: u32,
    /// When the first of them was made.
    pub first_attempt_at: Timestamp,
}

/// What follows for the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookDecision {
    /// The receiver has it.
    Deliver,
    /// The next attempt is due at this time of the schedule.
    Retry(Timestamp),
    /// The next attempt is due at this time, for which the receiver has asked: this attempt does not count.
    Wait(Timestamp),
    /// It is not retried automatically.
    Fail,
}

/// What follows for the endpoint, and so for all its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It works.
    Working,
    /// It fails; each conversation continues on its own schedule.
    Failing,
    /// It is paused until then; after that, one delivery is the probe.
    Pause(Timestamp),
    /// It is disabled until a person enables it.
    Disable(DisabledReason),
}

/// Why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledReason {
    /// It responded 410: webhooks are no longer wanted there.
    Gone,
    /// It has failed for five days without a success.
    Failing,
}

/// Since when an endpoint fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failing {
    /// The first failure after the last success.
    pub since: Timestamp,
    /// The last failure.
    pub last: Timestamp,
}

impl WebhookOutcome {
    /// Whether the receiver has taken it.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// Whether the attempt timed out, so that the receiver may hold up others.
    pub fn timed_out(&self) -> bool {
        *self == Self::Failed(AttemptError::Timeout)
    }

    /// The pause that the receiver asks for, within limits.
    fn asked_pause(&self) -> Option<Duration> {
        let Self::Answered { status: 429 | 503, retry_after } = self else { return None };
        retry_after.map(|asked| asked.clamp(ASKED_PAUSE_MIN, ASKED_PAUSE_MAX))
    }
}

/// What follows for the delivery. `jitter`, from 0 to 1, spreads attempts that failed together.
pub fn decide(
    progress: WebhookProgress,
    outcome: WebhookOutcome,
    now: Timestamp,
    jitter: f64,
) -> WebhookDecision {
    if outcome.is_success() {
        return WebhookDecision::Deliver;
    }
    if let Some(pause) = outcome.asked_pause() {
        let is_over = now.since(progress.first_attempt_at) >= PATIENCE;
        return if is_over { WebhookDecision::Fail } else { WebhookDecision::Wait(now.after(pause)) };
    }
    if matches!(outcome, WebhookOutcome::Answered { status: 410, .. }) {
        // The endpoint is disabled; once a person enables it, this delivery is the first.
        return WebhookDecision::Wait(now);
    }
    let index = usize::try_from(progress.tries.saturating_sub(1)).unwrap_or(usize::MAX);
    match PAUSES.get(index) {
        Some(pause) => WebhookDecision::Retry(now.after(spread(*pause, jitter))),
        None => WebhookDecision::Fail,
    }
}

/// What follows for the endpoint, which has been failing until now or not.
pub fn effect(failing: Option<Failing>, outcome: WebhookOutcome, now: Timestamp) -> Effect {
    if outcome.is_success() {
        return Effect::Working;
    }
    if matches!(outcome, WebhookOutcome::Answered { status: 410, .. }) {
        return Effect::Disable(DisabledReason::Gone);
    }
    if now.since(fail(failing, now).since) >= FAILING_MAX {
        return Effect::Disable(DisabledReason::Failing);
    }
    match (outcome.asked_pause(), outcome) {
        (Some(pause), _) => Effect::Pause(now.after(pause)),
        (None, WebhookOutcome::Answered { status: 429, .. }) => Effect::Pause(now.after(TOO_MUCH_PAUSE)),
        _ => Effect::Failing,
    }
}

/// Adds a failure at this time. A gap without attempts that is longer than any pause of the schedule starts over: nobody knows
/// whether the endpoint failed then.
pub fn fail(failing: Option<Failing>, now: Timestamp) -> Failing {
    match failing {
        Some(Failing { since, last }) if now.since(last) <= PAUSE_MAX => Failing { since, last: now },
        _ => Failing { since: now, last: now },
    }
}

fn spread(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);
    const DAY: Duration = Duration::from_hours(24);

    fn answered(status: u16) -> WebhookOutcome {
        WebhookOutcome::Answered { status, retry_after: None }
    }

    fn asked(status: u16, seconds: u64) -> WebhookOutcome {
        WebhookOutcome::Answered { status, retry_after: Some(Duration::from_secs(seconds)) }
    }

    fn try_number(tries: u32) -> WebhookProgress {
        WebhookProgress { tries, first_attempt_at: START }
    }

    fn failing_for(duration: Duration) -> (Option<Failing>, Timestamp) {
        let now = START.after(duration);
        (Some(Failing { since: START, last: now.before(Duration::from_hours(20)) }), now)
    }

    #[test]
    fn ten_attempts_are_spread_over_three_days_as_the_specification_proposes() {
        let mut now = START;
        let mut seconds = Vec::new();
        for tries in 1.. {
            match decide(try_number(tries), answered(500), now, 0.5) {
                WebhookDecision::Retry(at) => {
                    seconds.push(at.since(now).as_secs());
                    now = at;
                }
                decision => {
                    assert_eq!((tries, decision), (10, WebhookDecision::Fail));
                    break;
                }
            }
        }

        assert_eq!(seconds, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert!(now.since(START) > 3 * DAY && now.since(START) < PATIENCE);
    }

    #[test]
    fn every_2xx_is_a_success_and_nothing_else_is() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(
                decide(try_number(1), answered(status), START, 0.5),
                WebhookDecision::Deliver,
                "{status}"
            );
            assert_eq!(effect(None, answered(status), START), Effect::Working, "{status}");
        }
        for status in [100, 101, 199, 300, 301, 302, 307, 308, 400, 401, 404, 409, 418, 500, 502, 599] {
            let retry = decide(try_number(1), answered(status), START, 0.5);
            assert_eq!(retry, WebhookDecision::Retry(START.after(Duration::from_secs(5))), "{status}");
            assert_eq!(effect(None, answered(status), START), Effect::Failing, "{status}");
        }
    }

    #[test]
    fn an_endpoint_that_is_gone_is_disabled_and_what_waits_keeps_its_tries() {
        assert_eq!(decide(try_number(1), answered(410), START, 0.5), WebhookDecision::Wait(START));
        assert_eq!(effect(None, answered(410), START), Effect::Disable(DisabledReason::Gone));
    }

    #[test]
    fn a_receiver_that_asks_for_a_pause_gets_one_within_limits() {
        for (asked_seconds, pause) in [(0, 5), (1, 5), (5, 5), (120, 120), (3_600, 3_600), (u64::MAX, 3_600)]
        {
            let at = START.after(Duration::from_secs(pause));
            for status in [429, 503] {
                let outcome = asked(status, asked_seconds);
                assert_eq!(decide(try_number(9), outcome, START, 0.0), WebhookDecision::Wait(at));
                assert_eq!(effect(None, outcome, START), Effect::Pause(at));
            }
        }
        assert_eq!(effect(None, asked(500, 120), START), Effect::Failing);
    }

    #[test]
    fn a_delivery_to_a_receiver_that_always_asks_for_pauses_fails() {
        let late = START.after(PATIENCE);

        assert_eq!(decide(try_number(1), asked(503, 9), late, 0.5), WebhookDecision::Fail);
    }

    #[test]
    fn a_429_without_a_pause_gets_a_default_one() {
        let until = START.after(Duration::from_secs(30));

        assert_eq!(effect(None, answered(429), START), Effect::Pause(until));
        assert_eq!(effect(None, answered(503), START), Effect::Failing);
    }

    #[test]
    fn five_days_of_failures_without_a_success_disable_an_endpoint() {
        let (failing, now) = failing_for(5 * DAY);
        assert_eq!(effect(failing, answered(500), now), Effect::Disable(DisabledReason::Failing));
        assert_eq!(effect(failing, answered(200), now), Effect::Working);

        let (failing, now) = failing_for(Duration::from_secs(5 * 24 * 3_600 - 1));
        assert_eq!(effect(failing, answered(500), now), Effect::Failing);
    }

    #[test]
    fn failures_with_a_longer_gap_in_between_do_not_add_up() {
        let failing = Some(Failing { since: START, last: START });
        let now = START.after(6 * DAY);

        assert_eq!(effect(failing, answered(500), now), Effect::Failing);
        assert_eq!(fail(failing, now), Failing { since: now, last: now });
    }

    proptest! {
        #[test]
        fn every_pause_is_within_a_tenth_of_the_schedule(tries in 1..10_u32, jitter in 0.0..=1.0_f64) {
            let planned = PAUSES[usize::try_from(tries).unwrap() - 1];

            let WebhookDecision::Retry(at) = decide(try_number(tries), answered(500), START, jitter) else {
                return Err(TestCaseError::fail("it is tried again"));
            };

            prop_assert!(at.since(START) >= planned.mul_f64(0.899) && at.since(START) <= planned.mul_f64(1.101));
            prop_assert!(at.since(START) <= PAUSE_MAX);
        }
    }
}
