//! Telling a caller that waits for a message when there is something to tell, and counting what came of attempts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::metrics::Deliveries;
use crate::model::delivery::DeliveryDecision;
use crate::model::id::MessageId;

/// The callers that wait. What they are told is only to look: the truth is in the rows.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    waiting: Arc<Mutex<Callers>>,
    counted: Deliveries,
}

/// Those who wait for each message, by the number of their wait.
#[derive(Debug, Default)]
struct Callers {
    last_number: u64,
    callers: HashMap<MessageId, HashMap<u64, oneshot::Sender<()>>>,
}

/// One caller's wait. Dropping it ends the wait.
#[derive(Debug)]
pub struct Expected {
    outcomes: Outcomes,
    message: MessageId,
    number: u64,
    told: oneshot::Receiver<()>,
}

impl Outcomes {
    /// Nobody waits. What came of attempts is counted here.
    pub fn new(counted: Deliveries) -> Self {
        Self { counted, ..Self::default() }
    }

    /// Counts what follows from an attempt, which was a reply or a push.
    pub fn count(&self, is_reply: bool, decision: &DeliveryDecision) {
        let outcome = match decision {
            DeliveryDecision::Accept(_) => "accepted",
            DeliveryDecision::Fail(..) => "failed",
            DeliveryDecision::Retry { .. } => "retried",
            DeliveryDecision::Push { .. } => "pushed_instead",
            DeliveryDecision::Suspend { .. } => "suspended",
        };
        self.counted.add(if is_reply { "reply" } else { "push" }, outcome);
    }

    /// Begins to wait for the next outcome of a message that is stored, or about to be.
    pub fn expect(&self, message: MessageId) -> Expected {
        let (sender, told) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.last_number += 1;
        let number = waiting.last_number;
        waiting.callers.entry(message).or_default().insert(number, sender);
        Expected { outcomes: self.clone(), message, number, told }
    }

    /// Says to all who wait that a message has an outcome.
    pub fn announce(&self, message: MessageId) {
        let callers = self.lock().callers.remove(&message).unwrap_or_default();
        for caller in callers.into_values() {
            // A caller that has gone away needs no telling.
            caller.send(()).ok();
        }
    }

    /// A panic elsewhere leaves it whole: whoever has it does nothing that can fail.
    fn lock(&self) -> MutexGuard<'_, Callers> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected {
    /// Waits until the message has an outcome, or for as long as the caller is willing to.
    pub async fn wait(&mut self, at_most: Duration) {
        // Told, gone or too late: the caller looks at the row in each case.
        drop(tokio::time::timeout(at_most, &mut self.told).await);
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let mut waiting = self.outcomes.lock();
        if let Entry::Occupied(mut callers) = waiting.callers.entry(self.message) {
            callers.get_mut().remove(&self.number);
            if callers.get().is_empty() {
                callers.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::model::timestamp::Timestamp;

    const NOW: Timestamp = Timestamp::from_microseconds(0);
    const LONG: Duration = Duration::from_mins(1);

    #[actix_web::test]
    async fn each_caller_waits_for_itself_and_all_are_told() {
        let (outcomes, message) = (Outcomes::default(), MessageId::new(NOW));
        let mut first = outcomes.expect(message);
        let refused = outcomes.expect(message);
        let mut second = outcomes.expect(message);

        drop(refused);
        assert!(first.wait(LONG).now_or_never().is_none(), "it still waits");
        assert!(second.wait(LONG).now_or_never().is_none(), "it still waits");
        outcomes.announce(MessageId::new(NOW));
        assert!(first.wait(LONG).now_or_never().is_none(), "it was another message");

        outcomes.announce(message);
        first.wait(LONG).now_or_never().expect("it was told");
        second.wait(LONG).now_or_never().expect("it was told");
        drop((first, second));
        assert!(outcomes.lock().callers.is_empty());
    }
}
