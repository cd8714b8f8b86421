//! Fetches the tokens of accounts with a channel id ahead of time.

use std::rc::Rc;

use futures_util::future::join_all;

use crate::error::Result;
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::tokens::Tokens;
use crate::runtime::wakers::{Stop, Waker};
use crate::store::accounts::tokens;
use crate::store::reader::Reader;
use crate::worker::rounds;

/// Tokens that are fetched at once.
const CONCURRENCY: usize = 16;

/// The worker that fetches tokens ahead of time.
#[derive(Clone)]
pub struct TokenWorker {
    tokens: Tokens,
    reader: Rc<Reader>,
}

impl TokenWorker {
    /// A worker that keeps these tokens fresh.
    pub fn new(tokens: Tokens) -> Result<Self> {
        let reader = Rc::new(tokens.store().reader()?);
        Ok(Self { tokens, reader })
    }

    /// Fetches the tokens that are due, and says how many those were.
    pub async fn step(&self) -> Result<usize> {
        let now = self.tokens.clock().now();
        let due = self.tokens.store().write(now, |tx| tokens::claim(tx, CONCURRENCY)).await?;
        let fetch = async |(account, token): &(AccountId, Secret)| {
            if let Err(error) = self.tokens.renewed(*account, token).await {
                log::warn!("tokens: account {account} got none: {}", error.chain());
            }
        };
        join_all(due.iter().map(fetch)).await;
        Ok(due.len())
    }

    /// Fetches tokens until it is stopped.
    pub async fn run(self, waker: Waker, heartbeat: Heartbeat, stop: Stop) {
        let round = async || {
            self.step().await?;
            self.reader.read(tokens::next_due)
        };
        rounds("tokens", self.tokens.clock(), (waker, heartbeat, stop), round).await;
    }
}
