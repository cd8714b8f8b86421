//! Asks LINE how much of the month's messages each account has used, where a monitoring system reads it.

use std::time::Duration;

use crate::error::Result;
use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::quotas::Quotas;
use crate::runtime::tokens::Tokens;
use crate::runtime::wakers::Stop;
use crate::store::{Store, accounts};
use crate::worker::PAUSE_MAX;

/// LINE is asked again for a monitoring system after this long.
const PERIOD: Duration = Duration::from_mins(10);

/// The worker that asks, for the numbers of a monitoring system.
#[derive(Clone)]
pub struct QuotaWorker {
    store: Store,
    tokens: Tokens,
    quotas: Quotas,
    /// Whether anybody reads the numbers; else LINE is left alone.
    wanted: bool,
}

impl QuotaWorker {
    /// A worker that asks only where its answers are `wanted`.
    pub fn new(store: Store, tokens: Tokens, quotas: Quotas, wanted: bool) -> Self {
        Self { store, tokens, quotas, wanted }
    }

    /// Asks about every account of which nothing is known that is fresh enough. What LINE does not tell stays as it was.
    pub async fn step(&self, now: Timestamp, heartbeat: &Heartbeat) -> Result<()> {
        let accounts = self.store.read(accounts::list).await?;
        self.quotas.keep_only(&accounts);
        for account in accounts.iter().filter(|account| !account.token.expose().is_empty()) {
            if self.quotas.fresh(account.id, now, PERIOD).is_some() {
                continue;
            }
            heartbeat.beat();
            let line = self.tokens.line();
            let asked =
                self.tokens.call(account.id, &account.token, async |token| line.quota(token).await).await;
            match asked {
                Ok(quota) => self.quotas.note(account.id, (now, quota)),
                Err(error) => log::debug!("quota: account {}: {}", account.id, error.chain()),
            }
        }
        Ok(())
    }

    /// Asks until it is stopped.
    pub async fn run(self, clock: Clock, heartbeat: Heartbeat, mut stop: Stop) {
        let mut next_round = clock.now();
        loop {
            heartbeat.beat();
            let now = clock.now();
            if self.wanted && (now >= next_round || next_round > now.after(PERIOD)) {
                next_round = now.after(PERIOD);
                if let Err(error) = self.step(now, &heartbeat).await {
                    log::error!("quota: {}", error.chain());
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE_MAX) => {}
                () = stop.requested() => return,
            }
        }
    }
}
