//! Notifies callers that wait for a message's outcome, and counts the outcomes of attempts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::metrics::Deliveries;
use crate::model::delivery::DeliveryDecision;
use crate::model::id::MessageId;

/// The waiting callers. A notification only says that there is an outcome; the truth is in the rows.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    waiting: Arc<Mutex<Callers>>,
    deliveries: Deliveries,
}

/// The waiting callers of each message, by the number of their wait.
#[derive(Debug, Default)]
struct Callers {
    last_number: u64,
    callers: HashMap<MessageId, HashMap<u64, oneshot::Sender<()>>>,
}

/// The wait of one caller; dropping it ends the wait.
#[derive(Debug)]
pub struct OutcomeWait {
    outcomes: Outcomes,
    message: MessageId,
    number: u64,
    notified: oneshot::Receiver<()>,
}

impl Outcomes {
    /// No waiting callers. Outcomes of attempts are counted here.
    pub fn new(deliveries: Deliveries) -> Self {
        Self { deliveries, ..Self::default() }
    }

    /// Counts the decision after an attempt, which was a reply or a push.
    pub fn count(&self, is_reply: bool, decision: &DeliveryDecision) {
        let outcome = match decision {
            DeliveryDecision::Accept(_) => "accepted",
            DeliveryDecision::Fail(..) => "failed",
            DeliveryDecision::Retry { .. } => "retried",
            DeliveryDecision::Push { .. } => "pushed_instead",
            DeliveryDecision::Suspend { .. } => "suspended",
        };
        self.deliveries.add(if is_reply { "reply" } else { "push" }, outcome);
    }

    /// Starts to wait for the next outcome of a message that is stored, or about to be.
    pub fn expect(&self, message: MessageId) -> OutcomeWait {
        let (sender, notified) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.last_number += 1;
        let number = waiting.last_number;
        waiting.callers.entry(message).or_default().insert(number, sender);
        OutcomeWait { outcomes: self.clone(), message, number, notified }
    }

    /// Notifies all waiting callers that a message has an outcome.
    pub fn announce(&self, message: MessageId) {
        let callers = self.lock().callers.remove(&message).unwrap_or_default();
        for caller in callers.into_values() {
            // A caller that has gone needs no notification.
            caller.send(()).ok();
        }
    }

    /// A panic elsewhere leaves it consistent: nothing that holds the lock can fail.
    fn lock(&self) -> MutexGuard<'_, Callers> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OutcomeWait {
    /// Waits until the message has an outcome, at most this long.
    pub async fn wait(&mut self, at_most: Duration) {
        // Notified, closed or timed out: in each case the caller reads the row.
        drop(tokio::time::timeout(at_most, &mut self.notified).await);
    }
}

impl Drop for OutcomeWait {
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
    async fn all_callers_of_a_message_are_notified_and_each_wait_ends_separately() {
        let (outcomes, message) = (Outcomes::default(), MessageId::new(NOW));
        let mut first = outcomes.expect(message);
        let refused = outcomes.expect(message);
        let mut second = outcomes.expect(message);

        drop(refused);
        assert!(first.wait(LONG).now_or_never().is_none(), "it is still waiting");
        assert!(second.wait(LONG).now_or_never().is_none(), "it is still waiting");
        outcomes.announce(MessageId::new(NOW));
        assert!(first.wait(LONG).now_or_never().is_none(), "it was another message");

        outcomes.announce(message);
        first.wait(LONG).now_or_never().expect("it was notified");
        second.wait(LONG).now_or_never().expect("it was notified");
        drop((first, second));
        assert!(outcomes.lock().callers.is_empty());
    }
}
