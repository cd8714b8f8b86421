//! Asks LINE for each account's monthly quota, for a monitoring system.

use std::time::Duration;

use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::quotas::Quotas;
use crate::runtime::tokens::Tokens;
use crate::store::{Store, accounts};
use crate::worker::{PAUSE_MAX, Worker, WorkerContext};

/// How old a quota may be before LINE is asked again.
const PERIOD: Duration = Duration::from_mins(10);

/// The worker that asks for quotas.
pub struct QuotaWorker {
    store: Store,
    tokens: Tokens,
    quotas: Quotas,
    /// Whether a monitoring system reads the quotas; without one, LINE is not asked.
    wanted: bool,
    /// When the next round of questions begins; `None` before the first.
    next_at: Option<Timestamp>,
}

impl QuotaWorker {
    /// A worker that asks only if the quotas are `wanted`.
    pub fn new(store: Store, tokens: Tokens, quotas: Quotas, wanted: bool) -> Self {
        Self { store, tokens, quotas, wanted, next_at: None }
    }

    /// Asks for every account whose quota is not fresh. A quota that LINE does not return stays as it was.
    async fn ask(&self, now: Timestamp, heartbeat: &Heartbeat) -> Result<()> {
        let accounts = self.store.read(accounts::list).await?;
        self.quotas.retain(&accounts);
        for account in accounts.iter().filter(|account| !account.token.expose().is_empty()) {
            if self.quotas.fresh(account.id, now, PERIOD).is_some() {
                continue;
            }
            heartbeat.beat();
            let line = self.tokens.line();
            let asked =
                self.tokens.call(account.id, &account.token, async |token| line.quota(token).await).await;
            match asked {
                Ok(quota) => self.quotas.record(account.id, (now, quota)),
                Err(error) => log::debug!("quota: account {}: {}", account.id, error.chain()),
            }
        }
        Ok(())
    }
}

impl Worker for QuotaWorker {
    const NAME: &'static str = "quota";

    async fn round(&mut self, context: &mut WorkerContext) -> Result<Duration> {
        let now = context.clock.now();
        if self.wanted && self.next_at.is_none_or(|next| next <= now || next > now.after(PERIOD)) {
            self.next_at = Some(now.after(PERIOD));
            self.ask(now, &context.heartbeat).await?;
        }
        Ok(PAUSE_MAX)
    }
}
