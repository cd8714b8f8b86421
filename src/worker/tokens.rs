//! Fetches the tokens of accounts with a channel id ahead of time.

use std::time::Duration;

use futures_util::future::join_all;

use crate::error::Result;
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::runtime::tokens::Tokens;
use crate::store::accounts::tokens;
use crate::store::reader::Reader;
use crate::worker::{Worker, WorkerContext, pause};

/// Tokens that are fetched at once.
const CONCURRENCY: usize = 16;

/// The worker that fetches tokens ahead of time.
pub struct TokenWorker {
    tokens: Tokens,
    reader: Reader,
}

impl TokenWorker {
    /// A worker that keeps these tokens fresh.
    pub fn new(tokens: Tokens) -> Result<Self> {
        let reader = tokens.store().reader()?;
        Ok(Self { tokens, reader })
    }

    /// Fetches the tokens that are due.
    async fn fetch_due(&self, now: Timestamp) -> Result<()> {
        let due = self.tokens.store().write(now, |tx| tokens::claim(tx, CONCURRENCY)).await?;
        let fetch = async |(account, token): &(AccountId, Secret)| {
            if let Err(error) = self.tokens.renew(*account, token).await {
                log::warn!("tokens: account {account} got none: {}", error.chain());
            }
        };
        join_all(due.iter().map(fetch)).await;
        Ok(())
    }
}

impl Worker for TokenWorker {
    const NAME: &'static str = "tokens";

    async fn round(&mut self, context: &mut WorkerContext) -> Result<Duration> {
        self.fetch_due(context.clock.now()).await?;
        Ok(pause(self.reader.read(tokens::next_due)?, context.clock.now()))
    }
}
