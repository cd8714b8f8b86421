//! A LINE channel that a customer has connected.

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::id::{AccountId, CustomerId};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;

/// A LINE channel ("LINE official account") of a customer.
#[derive(Debug, Clone)]
pub struct Account {
    /// The id in our webhook's path.
    pub id: AccountId,
    /// Whose channel it is.
    pub customer: CustomerId,
    /// A name for people.
    pub name: String,
    /// A note for people.
    pub detail: String,
    /// The channel secret, with which LINE signs webhooks.
    pub secret: Secret,
    /// The secret that takes its place during a rotation.
    pub secret_next: Option<Secret>,
    /// The channel access token, with which we speak to LINE; empty while none was fetched yet.
    pub token: Secret,
    /// The channel's id, when tokens are fetched with it.
    pub channel_id: Option<String>,
    /// How messages go out.
    pub delivery_mode: DeliveryMode,
    /// What LINE said about the token when it was last asked.
    pub check: Check,
    /// Why nothing is sent at present; `None` while all is well.
    pub suspension: Option<Suspension>,
    /// When it was connected.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
}

/// How many messages a month LINE takes from an account; replies do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many it takes; nothing when there is no limit.
    pub limit: Option<u64>,
    /// How many it has taken.
    pub used: u64,
}

impl Quota {
    /// How many it takes yet; nothing when there is no limit.
    pub fn remaining(&self) -> Option<u64> {
        self.limit.map(|limit| limit.saturating_sub(self.used))
    }
}

/// How an account's messages go out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryMode {
    /// As a free reply while LINE takes one, else as a push.
    #[default]
    PreferReply,
    /// Always as a push, which costs quota and can be repeated safely.
    PushOnly,
}

/// How an account speaks to LINE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// With a long-lived channel access token.
    Token(Secret),
    /// With tokens that are fetched for this channel id and the channel secret.
    ChannelId(String),
}

/// What LINE said about an account's token when it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// It was not asked yet.
    Unchecked,
    /// The token is good; this is the bot behind it.
    Good(Bot),
    /// LINE refused the token, in these words.
    Refused(String),
    /// LINE could not be asked, for this reason.
    Unreachable(String),
}

/// The bot behind a channel, from LINE's "Get bot info".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// The bot's user id: the `destination` of its webhooks.
    pub user_id: String,
    /// The `@…` name.
    pub basic_id: String,
    /// The name that users see.
    pub display_name: String,
    /// `chat` while people may answer in LINE's own manager, else `bot`.
    pub chat_mode: String,
}

/// An account whose messages wait, because LINE takes none from it at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// What kind of obstacle it is.
    pub reason: SuspensionReason,
    /// LINE's own words.
    pub message: String,
    /// When one message is tried again to see whether the obstacle is gone.
    pub until: Timestamp,
}

/// Why LINE takes nothing from an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspensionReason {
    /// 401: the token is wrong, expired or revoked.
    Token,
    /// 403: the plan or an address restriction forbids it.
    Permission,
    /// 429: the month's messages are used up.
    Quota,
    /// 3xx: the base address is not LINE's.
    Redirect,
}

/// What somebody says about an account; `None` keeps what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The name for people.
    pub name: Option<String>,
    /// The note for people.
    pub detail: Option<String>,
    /// The channel secret.
    pub secret: Option<Secret>,
    /// The secret that takes its place.
    pub secret_next: SecretChange,
    /// How it speaks to LINE.
    pub credential: Option<Credential>,
    /// How messages go out.
    pub delivery_mode: Option<DeliveryMode>,
}

impl AccountChange {
    /// Leaves out each field that is named here and that `keep` does not keep.
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

    /// Leaves out what is so already.
    pub fn unlike(self, known: &Account) -> Self {
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
    /// The secrets with either of which LINE may sign.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.secret).chain(&self.secret_next)
    }

    /// How it speaks to LINE.
    pub fn credential(&self) -> Credential {
        match &self.channel_id {
            Some(id) => Credential::ChannelId(id.clone()),
            None => Credential::Token(self.token.clone()),
        }
    }
}

/// What becomes of a secret that an account may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// It goes.
    Remove,
    /// It becomes this one.
    Set(Secret),
}

impl From<Option<Secret>> for SecretChange {
    fn from(secret: Option<Secret>) -> Self {
        secret.map_or(Self::Remove, Self::Set)
    }
}

impl SecretChange {
    /// The secret that is there afterwards, when there was this one before.
    pub fn apply(self, before: Option<Secret>) -> Option<Secret> {
        match self {
            Self::Keep => before,
            Self::Remove => None,
            Self::Set(secret) => Some(secret),
        }
    }
}

/// What an account is made of.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The id in our webhook's path.
    pub id: AccountId,
    /// A name for people.
    pub name: String,
    /// A note for people.
    pub detail: String,
    /// The channel secret.
    pub secret: Secret,
    /// The secret that takes its place during a rotation.
    pub secret_next: Option<Secret>,
    /// How it speaks to LINE.
    pub credential: Credential,
    /// How messages go out.
    pub delivery_mode: DeliveryMode,
}

impl NewAccount {
    /// An account of which this is said.
    ///
    /// `Unusable` without a secret or without a way to speak to LINE.
    pub fn of(id: AccountId, said: AccountChange) -> Result<Self> {
        let AccountChange { name, detail, secret, secret_next, credential, delivery_mode } = said;
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
