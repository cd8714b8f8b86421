//! The one place that decides with which token LINE is called: the account's, and a new one when LINE refuses that.
//!
//! Tokens of accounts with a channel id are fetched ahead of time, so that the row of an account holds one that works.
//! One that ends early shows as a 401; then whoever meets it fetches the next, once for all who wait.

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

/// Why nothing is asked in the name of an account that has got no token yet.
pub const NO_TOKEN: &str = "the account has no token yet";

/// When LINE last failed to give an account a token; locked while somebody asks.
type RefreshLock = Arc<tokio::sync::Mutex<Option<Failed>>>;

/// Whose token is being fetched, for all threads.
#[derive(Debug, Clone, Default)]
pub struct Renewals {
    turns: Arc<Mutex<HashMap<AccountId, RefreshLock>>>,
}

/// Gives out tokens.
#[derive(Clone)]
pub struct Tokens {
    store: Store,
    line: LineClient,
    clock: Clock,
    renewals: Renewals,
}

/// A fetch that gave no token.
#[derive(Debug)]
struct Failed {
    at: Instant,
    refusal: Option<(u16, String)>,
}

impl Tokens {
    /// Tokens that are fetched with this client.
    pub fn new(store: Store, line: LineClient, clock: Clock, renewals: Renewals) -> Self {
        Self { store, line, clock, renewals }
    }

    /// The database that they are kept in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock that says when they end.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The client that tokens are fetched with, for calls with them.
    pub fn line(&self) -> &LineClient {
        &self.line
    }

    /// A call in the name of an account, made once more with a new token when LINE refuses this one. Without a token nothing is
    /// asked but a token.
    pub async fn call<T>(
        &self,
        account: AccountId,
        token: &Secret,
        call: impl AsyncFn(&Secret) -> Result<T>,
    ) -> Result<T> {
        let answer = if token.is_empty() {
            Err(Error::LineRefused { status: 401, message: NO_TOKEN.to_owned(), account: None })
        } else {
            call(token).await
        };
        if !matches!(answer, Err(Error::LineRefused { status: 401, .. })) {
            return answer;
        }
        match self.renewed(account, token).await? {
            Some(token) => call(&token).await,
            None => answer,
        }
    }

    /// Another token than the one that was refused; nothing when the account has none but what it was given.
    ///
    /// `LineRefused` when LINE gives none, `LineUnavailable` when it cannot be asked.
    pub async fn renewed(&self, account: AccountId, refused: &Secret) -> Result<Option<Secret>> {
        let began = Instant::now();
        let turn = self.renewals.refresh_lock(account);
        let mut failed = turn.lock().await;
        let channel = self.store.read(move |connection| tokens::channel(connection, account)).await?;
        let Some(channel) = channel else { return Ok(None) };
        let now = self.clock.now();
        if channel.token != *refused && channel.expires_at.is_some_and(|end| end > now) {
            return Ok(Some(channel.token));
        }
        if let Some(failed) = failed.as_ref().filter(|failed| failed.at > began) {
            return Err(failed.error());
        }
        let fetched = self.fetch(account, &channel, now).await;
        *failed = fetched.as_ref().err().map(Failed::now);
        fetched.map(Some)
    }

    async fn fetch(&self, account: AccountId, channel: &TokenChannel, now: Timestamp) -> Result<Secret> {
        let Issued { token, lifetime } = self.issue(channel).await?;
        let times = (now.after(lifetime.mul_f64(2.0 / 3.0)), now.after(lifetime));
        let (channel, kept) = (channel.clone(), token.clone());
        self.store.write(now, move |tx| tokens::save(tx, (account, &channel), &kept, times)).await?;
        Ok(token)
    }

    /// A token for the channel secret, or for the one that takes its place: LINE knows one of them.
    async fn issue(&self, channel: &TokenChannel) -> Result<Issued> {
        let issued = self.line.issue_token(&channel.id, &channel.secret).await;
        match (&issued, &channel.secret_next) {
            (Err(Error::LineRefused { .. }), Some(next)) => self.line.issue_token(&channel.id, next).await,
            _ => issued,
        }
    }
}

impl Failed {
    fn now(error: &Error) -> Self {
        let refusal = match error {
            Error::LineRefused { status, message, .. } => Some((*status, message.clone())),
            _ => None,
        };
        Self { at: Instant::now(), refusal }
    }

    /// What those are told who waited while it failed.
    fn error(&self) -> Error {
        match &self.refusal {
            Some((status, message)) => {
                Error::LineRefused { status: *status, message: message.clone(), account: None }
            }
            None => Error::LineUnavailable("it gave no token a moment ago".to_owned()),
        }
    }
}

impl Renewals {
    fn refresh_lock(&self, account: AccountId) -> RefreshLock {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(account).or_default())
    }
}
