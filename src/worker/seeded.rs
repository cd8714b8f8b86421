//! The seeded bugs of the delivery worker, see [`SeededBug`]. Without the feature `seeded-bugs` nothing here has an effect.

use actix_web::rt;

use crate::config::seeded::SeededBug;
use crate::model::delivery::{Acceptance, PushOutcome};
use crate::model::id::RetryKey;
use crate::store::outbox::deliveries::ClaimedDelivery;

/// Sends a claimed delivery with `send`: under another retry key, or only after LINE is said to have accepted it.
pub async fn send<Transport: Clone + 'static>(
    transport: &Transport,
    claim: &ClaimedDelivery,
    send: impl AsyncFn(&Transport, &ClaimedDelivery) -> PushOutcome + 'static,
) -> PushOutcome {
    if SeededBug::SentBeforeSending.is_built_in() {
        let (transport, claim) = (transport.clone(), claim.clone());
        drop(rt::spawn(async move {
            tokio::time::sleep(SeededBug::MOMENT).await;
            send(&transport, &claim).await
        }));
        return PushOutcome::Accepted(Acceptance::default());
    }
    if SeededBug::NewRetryKeys.is_built_in() {
        let mut claim = claim.clone();
        claim.retry_key = RetryKey::random();
        return send(transport, &claim).await;
    }
    send(transport, claim).await
}
