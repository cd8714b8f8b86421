//! `[[accounts]]`: the LINE accounts that the configuration file declares.

use std::path::PathBuf;

use serde::Deserialize;

use crate::model::accounts::account::{Credential, DeliveryMode};
use crate::model::id::{AccountId, CustomerId};
use crate::model::secret::Secret;

/// A LINE account that is created or updated at start.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvisionedAccount {
    /// The id in the webhook's path.
    pub id: AccountId,
    /// The owner of the account.
    pub customer: CustomerReference,
    /// The account's name. Default none: unchanged.
    #[serde(default)]
    pub name: Option<String>,
    /// A free-form note. Default none: unchanged.
    #[serde(default)]
    pub detail: Option<String>,
    /// The channel secret; never empty.
    #[serde(default = "placeholder")]
    pub secret: Secret,
    /// The file that `secret` was read from. Default none.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The secret that will replace it in a rotation. Default none: unchanged.
    #[serde(default)]
    pub secret_next: Option<Secret>,
    /// The file that `secret_next` was read from. Default none.
    #[serde(default)]
    pub secret_next_file: Option<PathBuf>,
    /// The channel access token; empty only with a `channel_id`.
    #[serde(default = "placeholder")]
    pub token: Secret,
    /// The file that `token` was read from. Default none.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// The channel's id, with which tokens are fetched. Default none.
    #[serde(default)]
    pub channel_id: Option<String>,
    /// How messages are sent. Default none: unchanged, and `prefer_reply` for a new account.
    #[serde(default)]
    pub delivery_mode: Option<DeliveryMode>,
    /// Whether these are only initial values, over which values set by an API call or a command take
    /// precedence. True for the sandbox's account, which comes from no file.
    #[serde(skip)]
    pub is_default: bool,
}

impl ProvisionedAccount {
    /// The credential for calls to LINE.
    pub fn credential(&self) -> Credential {
        match &self.channel_id {
            Some(id) => Credential::ChannelId(id.clone()),
            None => Credential::Token(self.token.clone()),
        }
    }
}

/// A customer that is declared in the file or exists already.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum CustomerReference {
    /// The customer with this id.
    Id(CustomerId),
    /// The customer with this name.
    Name(String),
}

impl From<String> for CustomerReference {
    fn from(text: String) -> Self {
        text.parse().map_or(Self::Name(text), Self::Id)
    }
}

/// A placeholder until the secret file is read; validation has ensured that one is configured.
fn placeholder() -> Secret {
    Secret::new("")
}
