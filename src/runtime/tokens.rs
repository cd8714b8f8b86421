//! Decides which token LINE is called with: the account's, or a new one if LINE refuses that.
//!
//! Tokens of accounts with a channel id are fetched ahead of time, so that the row of an account has a
//! working one. A token that ends early shows as a 401; the caller that gets it fetches the next one, once
//! for all that wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::line::client::LineClient;
use crate::line::token::Issued;
use crate::model::clock::Clock;
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::accounts::tokens::{self, TokenChannel};

/// The error for calls of an account that has no token yet.
pub const NO_TOKEN: &str = "the account has no token yet";

/// When a renewal for an account last failed; locked while one is in progress.
type RefreshLock = Arc<tokio::sync::Mutex<Option<FailedRenewal>>>;

/// The renewals in progress, for all threads.
#[derive(Debug, Clone, Default)]
pub struct Renewals {
    locks: Arc<Mutex<HashMap<AccountId, RefreshLock>>>,
}

/// Provides tokens for calls to LINE.
#[derive(Clone)]
pub struct Tokens {
    store: Store,
    line: LineClient,
    clock: Clock,
    renewals: Renewals,
}

/// A failed renewal.
#[derive(Debug)]
struct FailedRenewal {
    at: Instant,
    refusal: Option<(u16, String)>,
}

impl Tokens {
    /// Tokens that are fetched with this client.
    pub fn new(store: Store, line: LineClient, clock: Clock, renewals: Renewals) -> Self {
        Self { store, line, clock, renewals }
    }

    /// The database that stores the tokens.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock for their expiry.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The client that fetches tokens, for calls with them.
    pub fn line(&self) -> &LineClient {
        &self.line
    }

    /// Makes a call with the token of an account, and once more with a new token if LINE refuses this one.
    /// Without a token, one is fetched before the first call.
    pub async fn call<T>(
        &self,
        account: AccountId,
        token: &Secret,
        call: impl AsyncFn(&Secret) -> Result<T>,
    ) -> Result<T> {
        let result = if token.is_empty() {
            Err(Error::LineRefused { status: 401, message: NO_TOKEN.to_owned(), account: None })
        } else {
            call(token).await
        };
        if !matches!(result, Err(Error::LineRefused { status: 401, .. })) {
            return result;
        }
        match self.renew(account, token).await? {
            Some(token) => call(&token).await,
            None => result,
        }
    }

    /// A token other than the refused one; `None` for an account with a fixed token.
    ///
    /// Fails with `LineRefused` if LINE issues none, and with `LineUnavailable` if LINE cannot be reached.
    pub async fn renew(&self, account: AccountId, refused: &Secret) -> Result<Option<Secret>> {
        let start = Instant::now();
        let lock = self.renewals.refresh_lock(account);
        let mut failed = lock.lock().await;
        let channel = self.store.read(move |connection| tokens::channel(connection, account)).await?;
        let Some(channel) = channel else { return Ok(None) };
        let now = self.clock.now();
        if channel.token != *refused && channel.expires_at.is_some_and(|end| end > now) {
            return Ok(Some(channel.token));
        }
        if let Some(failed) = failed.as_ref().filter(|failed| failed.at > start) {
            return Err(failed.error());
        }
        let fetched = self.fetch(account, &channel, now).await;
        *failed = fetched.as_ref().err().map(FailedRenewal::now);
        fetched.map(Some)
    }

    async fn fetch(&self, account: AccountId, channel: &TokenChannel, now: Timestamp) -> Result<Secret> {
        let Issued { token, lifetime } = self.issue(channel).await?;
        let times = (now.after(lifetime.mul_f64(2.0 / 3.0)), now.after(lifetime));
        let (channel, new_token) = (channel.clone(), token.clone());
        self.store.write(now, move |tx| tokens::save(tx, (account, &channel), &new_token, times)).await?;
        Ok(token)
    }

    /// Issues a token with the channel secret, or with the next one during a rotation: LINE knows one of
    /// them.
    async fn issue(&self, channel: &TokenChannel) -> Result<Issued> {
        let issued = self.line.issue_token(&channel.id, &channel.secret).await;
        match (&issued, &channel.secret_next) {
            (Err(Error::LineRefused { .. }), Some(next)) => self.line.issue_token(&channel.id, next).await,
            _ => issued,
        }
    }
}

impl FailedRenewal {
    fn now(error: &Error) -> Self {
        let refusal = match error {
            Error::LineRefused { status, message, .. } => Some((*status, message.clone())),
            _ => None,
        };
        Self { at: Instant::now(), refusal }
    }

    /// The error for callers that waited while the renewal failed.
    fn error(&self) -> Error {
        match &self.refusal {
            Some((status, message)) => {
                Error::LineRefused { status: *status, message: message.clone(), account: None }
            }
            None => Error::LineUnavailable("it issued no token a moment ago".to_owned()),
        }
    }
}

impl Renewals {
    fn refresh_lock(&self, account: AccountId) -> RefreshLock {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(account).or_default())
    }
}
