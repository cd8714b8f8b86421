//! The state that handlers work with.

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

/// Connections to LINE per HTTP thread, for the few calls that a caller waits for.
const LINE_CONNECTIONS: usize = 16;

/// The state of one HTTP thread. Each thread has its own, since readers and LINE's client are bound to a
/// thread.
pub struct App {
    /// The state that all threads share.
    pub shared: Arc<Shared>,
    /// For short, indexed reads.
    pub reader: Reader,
    /// For the few calls to LINE that a caller waits for.
    pub line: LineClient,
    /// The tokens for those calls.
    pub tokens: Tokens,
}

/// The state that the HTTP threads share.
pub struct Shared {
    /// The settings.
    pub config: Config,
    /// The URL at which LINE reaches this server, without a trailing slash; `None` if not configured.
    pub public_url: Option<String>,
    /// The database.
    pub store: Store,
    /// The media store.
    pub media_store: MediaStore,
    /// The clock.
    pub clock: Clock,
    /// Verifies callers' tokens.
    pub verifier: Verifier,
    /// Shows whether the workers are alive.
    pub heartbeats: Heartbeats,
    /// Wakes the workers.
    pub wakers: Wakers,
    /// The token renewals in progress.
    pub renewals: Renewals,
    /// Notifies waiting callers of outcomes.
    pub outcomes: Outcomes,
    /// The idempotency keys of requests in progress.
    pub key_locks: KeyLocks,
    /// The last known quotas of LINE.
    pub quotas: Quotas,
    /// The open live feeds.
    pub feeds: Feeds,
    /// The tickets for live feeds.
    pub tickets: Tickets,
    /// The rate limits of callers.
    pub limits: RateLimits,
    /// Counters for the operator.
    pub counters: Counters,
    /// Counters and timers for a monitoring system.
    pub metrics: Metrics,
    /// When the server started.
    pub started: Timestamp,
    /// The end of the server: feeds end at once, and connections after their next response.
    pub end: End,
}

impl App {
    /// The state of one HTTP thread.
    pub fn new(shared: Arc<Shared>) -> Result<Self> {
        let reader = shared.store.reader()?;
        let line = LineClient::new(&shared.config.line, LINE_CONNECTIONS);
        let Shared { store, clock, renewals, .. } = shared.as_ref();
        let tokens = Tokens::new(store.clone(), line.clone(), clock.clone(), renewals.clone());
        Ok(Self { shared, reader, line, tokens })
    }
}

impl Shared {
    /// The webhook URL of an account at this server; `None` if the public URL is not configured.
    pub fn webhook_uri(&self, account: AccountId) -> Option<String> {
        self.public_url.as_ref().map(|base| format!("{base}/v1.0/conversation/accounts/{account}"))
    }

    /// Counts the events of a webhook, and the lag of each since it occurred if none is a duplicate.
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
