//! A LINE channel that a customer has connected.

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
    /// The long-lived channel access token, with which we speak to LINE.
    pub token: Secret,
    /// What LINE said about the token when it was last asked.
    pub check: Check,
    /// Why nothing is sent at present; `None` while all is well.
    pub parked: Option<Parked>,
    /// When it was connected.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
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
pub struct Parked {
    /// What kind of obstacle it is.
    pub reason: ParkReason,
    /// LINE's own words.
    pub message: String,
    /// When one message is tried again to see whether the obstacle is gone.
    pub until: Timestamp,
}

/// Why LINE takes nothing from an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkReason {
    /// 401: the token is wrong, expired or revoked.
    Token,
    /// 403: the plan or an address restriction forbids it.
    Permission,
    /// 429: the month's messages are used up.
    Quota,
    /// 3xx: the base address is not LINE's.
    Redirect,
}

/// What may be changed about an account; `None` keeps what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The name for people.
    pub name: Option<String>,
    /// The note for people.
    pub detail: Option<String>,
    /// The channel secret.
    pub secret: Option<Secret>,
    /// The channel access token.
    pub token: Option<Secret>,
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
    /// The channel access token.
    pub token: Secret,
}
