//! Telling a caller that waits for a message when there is something to tell, and counting what came of attempts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::metrics::Deliveries;
use crate::model::delivery::Decision;
use crate::model::id::MessageId;

/// The callers that wait. What they are told is only to look: the truth is in the rows.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    waiting: Arc<Mutex<HashMap<MessageId, oneshot::Sender<()>>>>,
    counted: Deliveries,
}

/// One caller's wait. Dropping it ends the wait.
#[derive(Debug)]
pub struct Expected {
    outcomes: Outcomes,
    message: MessageId,
    told: oneshot::Receiver<()>,
}

impl Outcomes {
    /// Nobody waits. What came of attempts is counted here.
    pub fn new(counted: Deliveries) -> Self {
        Self { counted, ..Self::default() }
    }

    /// Counts what follows from an attempt, which was a reply or a push.
    pub fn count(&self, is_reply: bool, decision: &Decision) {
        let outcome = match decision {
            Decision::Accept(_) => "accepted",
            Decision::Fail(..) => "failed",
            Decision::Retry { .. } => "retried",
            Decision::Push { .. } => "pushed_instead",
            Decision::Park { .. } => "parked",
        };
        self.counted.add(if is_reply { "reply" } else { "push" }, outcome);
    }

    /// Begins to wait for the first outcome of a message that is about to be stored.
    pub fn expect(&self, message: MessageId) -> Expected {
        let (sender, told) = oneshot::channel();
        self.lock().insert(message, sender);
        Expected { outcomes: self.clone(), message, told }
    }

    /// Says that a message has an outcome.
    pub fn announce(&self, message: MessageId) {
        if let Some(caller) = self.lock().remove(&message) {
            // A caller that has gone away needs no telling.
            caller.send(()).ok();
        }
    }

    /// A panic elsewhere leaves the map whole: each change of it is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<MessageId, oneshot::Sender<()>>> {
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
        self.outcomes.lock().remove(&self.message);
    }
}
