//! LINE accounts of customers.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::id::{AccountId, CustomerId};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;

/// A LINE channel ("LINE official account") of a customer.
#[derive(Debug, Clone)]
pub struct Account {
    /// The id in the path of our webhook.
    pub id: AccountId,
    /// The customer that owns it.
    pub customer: CustomerId,
    /// A name for people.
    pub name: String,
    /// A note for people.
    pub detail: String,
    /// The channel secret, with which LINE signs webhooks.
    pub secret: Secret,
    /// The next secret during a rotation.
    pub secret_next: Option<Secret>,
    /// The channel access token for calls to LINE; empty while none was fetched yet.
    pub token: Secret,
    /// The channel's id, if tokens are fetched with it.
    pub channel_id: Option<String>,
    /// How messages are sent.
    pub delivery_mode: DeliveryMode,
    /// The result of the last check of the token.
    pub check: Check,
    /// Why nothing is sent at present; `None` while messages are sent.
    pub suspension: Option<Suspension>,
    /// When it was connected.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
}

/// The monthly message quota of an account at LINE; replies do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The limit; `None` if there is none.
    pub limit: Option<u64>,
    /// How many messages were sent.
    pub used: u64,
}

impl Quota {
    /// How many messages are left; `None` if there is no limit.
    pub fn remaining(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }
}

/// How the messages of an account are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// As a free reply while LINE accepts one, otherwise as a push.
    #[default]
    PreferReply,
    /// Always as a push, which costs quota and can be retried safely.
    PushOnly,
}

/// How an account authenticates to LINE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// With a long-lived channel access token.
    Token(Secret),
    /// With tokens that are fetched with this channel id and the channel secret.
    ChannelId(String),
}

/// The result of the last check of an account's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Not checked yet.
    Unchecked,
    /// The token is valid; this is the bot that it belongs to.
    Good(Bot),
    /// LINE refused the token, with this message.
    Refused(String),
    /// LINE could not be reached, for this reason.
    Unreachable(String),
}

/// The bot of a channel, from LINE's "Get bot info".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// The bot's user id: the `destination` of its webhooks.
    pub user_id: String,
    /// The `@…` name.
    pub basic_id: String,
    /// The name that users see.
    pub display_name: String,
    /// `chat` if people may also chat in LINE's own manager, otherwise `bot`.
    pub chat_mode: String,
}

/// The suspension of an account, whose messages wait because LINE accepts none at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// The reason.
    pub reason: SuspensionReason,
    /// LINE's error message.
    pub message: String,
    /// When one message is sent as a probe to see whether LINE accepts messages again.
    pub until: Timestamp,
}

/// Why LINE accepts no messages from an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspensionReason {
    /// 401: the token is wrong, expired or revoked.
    Token,
    /// 403: the plan or an address restriction forbids it.
    Permission,
    /// 429: the monthly quota is used up.
    Quota,
    /// 3xx: the base URL is not LINE's.
    Redirect,
}

/// A change of an account; `None` keeps the present value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The name for people.
    pub name: Option<String>,
    /// The note for people.
    pub detail: Option<String>,
    /// The channel secret.
    pub secret: Option<Secret>,
    /// The next secret during a rotation.
    pub secret_next: SecretChange,
    /// How it authenticates to LINE.
    pub credential: Option<Credential>,
    /// How messages are sent.
    pub delivery_mode: Option<DeliveryMode>,
}

impl AccountChange {
    /// Removes each set field for which `keep` returns false.
    pub fn retain(&mut self, mut keep: impl FnMut(&'static str) -> bool) {
        retain(&mut self.name, "name", &mut keep);
        retain(&mut self.detail, "detail", &mut keep);
        retain(&mut self.secret, "secret", &mut keep);
        if self.secret_next != SecretChange::Keep && !keep("secret_next") {
            self.secret_next = SecretChange::Keep;
        }
        retain(&mut self.credential, "token", &mut keep);
        retain(&mut self.delivery_mode, "delivery_mode", &mut keep);
    }

    /// Removes the fields that already have these values.
    pub fn without_unchanged(self, known: &Account) -> Self {
        let secret_next = match self.secret_next {
            SecretChange::Set(secret) if Some(&secret) == known.secret_next.as_ref() => SecretChange::Keep,
            other => other,
        };
        Self {
            name: self.name.filter(|name| *name != known.name),
            detail: self.detail.filter(|detail| *detail != known.detail),
            secret: self.secret.filter(|secret| *secret != known.secret),
            secret_next,
            credential: self.credential.filter(|credential| *credential != known.credential()),
            delivery_mode: self.delivery_mode.filter(|mode| *mode != known.delivery_mode),
        }
    }
}

fn retain<T>(value: &mut Option<T>, field: &'static str, keep: &mut impl FnMut(&'static str) -> bool) {
    if value.is_some() && !keep(field) {
        *value = None;
    }
}

impl Account {
    /// The secrets, with either of which LINE may sign.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.secret).chain(&self.secret_next)
    }

    /// How it authenticates to LINE.
    pub fn credential(&self) -> Credential {
        match &self.channel_id {
            Some(id) => Credential::ChannelId(id.clone()),
            None => Credential::Token(self.token.clone()),
        }
    }
}

/// A change of an optional secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretChange {
    /// Keep it.
    #[default]
    Keep,
    /// Remove it.
    Remove,
    /// Set it to this one.
    Set(Secret),
}

impl From<Option<Secret>> for SecretChange {
    fn from(secret: Option<Secret>) -> Self {
        secret.map_or(Self::Remove, Self::Set)
    }
}

impl SecretChange {
    /// The secret after the change, given the one before.
    pub fn apply(self, before: Option<Secret>) -> Option<Secret> {
        match self {
            Self::Keep => before,
            Self::Remove => None,
            Self::Set(secret) => Some(secret),
        }
    }
}

/// The properties of a new account.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The id in the path of our webhook.
    pub id: AccountId,
    /// A name for people.
    pub name: String,
    /// A note for people.
    pub detail: String,
    /// The channel secret.
    pub secret: Secret,
    /// The next secret during a rotation.
    pub secret_next: Option<Secret>,
    /// How it authenticates to LINE.
    pub credential: Credential,
    /// How messages are sent.
    pub delivery_mode: DeliveryMode,
}

impl NewAccount {
    /// A new account with these properties.
    ///
    /// Fails with `Unusable` without a secret or a credential.
    pub fn from_change(id: AccountId, properties: AccountChange) -> Result<Self> {
        let AccountChange { name, detail, secret, secret_next, credential, delivery_mode } = properties;
        let incomplete =
            || Error::Unusable(format!("the account {id} needs a secret, and a token or a channel id"));
        Ok(Self {
            id,
            name: name.unwrap_or_default(),
            detail: detail.unwrap_or_default(),
            secret: secret.ok_or_else(incomplete)?,
            secret_next: secret_next.apply(None),
            credential: credential.ok_or_else(incomplete)?,
            delivery_mode: delivery_mode.unwrap_or_default(),
        })
    }
}
