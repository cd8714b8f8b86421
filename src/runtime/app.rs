//! What handlers work with.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::error::Result;
use crate::line::client::LineClient;
use crate::metrics::Metrics;
use crate::model::clock::Clock;
use crate::model::id::AccountId;
use crate::model::timestamp::Timestamp;
use crate::runtime::bearer::Verifier;
use crate::runtime::counters::Counters;
use crate::runtime::feeds::Feeds;
use crate::runtime::heartbeats::Heartbeats;
use crate::runtime::key_locks::KeyLocks;
use crate::runtime::limits::RateLimits;
use crate::runtime::outcomes::Outcomes;
use crate::runtime::quotas::Quotas;
use crate::runtime::tickets::Tickets;
use crate::runtime::tokens::{Renewals, Tokens};
use crate::runtime::wakers::{End, Wakers};
use crate::store::Store;
use crate::store::chats::inbound::InboundBatch;
use crate::store::files::media_store::MediaStore;
use crate::store::reader::Reader;

/// Connections to LINE of one HTTP thread, for the few calls that a caller waits for.
const LINE_CONNECTIONS: usize = 16;

/// What handlers work with. Each HTTP thread has its own, because readers and LINE's client are bound to a thread.
pub struct App {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// For short, indexed reads.
    pub reader: Reader,
    /// For the few calls to LINE that a caller waits for.
    pub line: LineClient,
    /// The tokens for those calls.
    pub tokens: Tokens,
}

/// What the HTTP threads share.
pub struct Shared {
    /// The settings.
    pub config: Config,
    /// Where LINE reaches this server, without a slash at the end; `None` when nobody said.
    pub public_url: Option<String>,
    /// The database.
    pub store: Store,
    /// The folder of files.
    pub folder: MediaStore,
    /// The clock.
    pub clock: Clock,
    /// Checks tokens.
    pub verifier: Verifier,
    /// Whether the workers are alive.
    pub heartbeats: Heartbeats,
    /// Wakes the workers.
    pub wakers: Wakers,
    /// Whose token is being fetched.
    pub renewals: Renewals,
    /// Tells callers of outcomes.
    pub outcomes: Outcomes,
    /// Which idempotency keys are being answered.
    pub key_locks: KeyLocks,
    /// What LINE said about quotas.
    pub quotas: Quotas,
    /// The live feeds that are open.
    pub feeds: Feeds,
    /// The tickets for live feeds.
    pub tickets: Tickets,
    /// What one caller may take.
    pub limits: RateLimits,
    /// Counts what an operator should see.
    pub counters: Counters,
    /// Counts and times what a monitoring system should see.
    pub metrics: Metrics,
    /// When the server was started.
    pub started: Timestamp,
    /// The end of the server: feeds end at once, and each connection with its next answer.
    pub end: End,
}

impl App {
    /// What one HTTP thread works with.
    pub fn new(shared: Arc<Shared>) -> Result<Self> {
        let reader = shared.store.reader()?;
        let line = LineClient::new(&shared.config.line, LINE_CONNECTIONS);
        let Shared { store, clock, renewals, .. } = shared.as_ref();
        let tokens = Tokens::new(store.clone(), line.clone(), clock.clone(), renewals.clone());
        Ok(Self { shared, reader, line, tokens })
    }
}

impl Shared {
    /// Where LINE sends the webhooks of an account; `None` when nobody said where this server is reached.
    pub fn webhook_uri(&self, account: AccountId) -> Option<String> {
        self.public_url.as_ref().map(|base| format!("{base}/v1.0/conversation/accounts/{account}"))
    }

    /// Counts what became of a webhook's events, and, when they are new, how long after they had happened they came.
    pub fn count(&self, received: InboundBatch, lags: &[Duration]) {
        self.counters.events_stored.add(received.stored);
        self.counters.events_duplicate.add(received.duplicates);
        self.counters.events_unread.add(received.unread);
        if received.duplicates == 0 {
            for lag in lags {
                self.metrics.webhook_lag(*lag);
            }
        }
    }
}
