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
    /// The id that stands in the webhook's path.
    pub id: AccountId,
    /// Whose account it is.
    pub customer: CustomerReference,
    /// What the account is called. Default none: as it is.
    #[serde(default)]
    pub name: Option<String>,
    /// Anything that is worth noting. Default none: as it is.
    #[serde(default)]
    pub detail: Option<String>,
    /// The channel secret; never empty.
    #[serde(default = "none_yet")]
    pub secret: Secret,
    /// The file that `secret` was read from. Default none.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The secret that takes its place during a rotation. Default none: as it is.
    #[serde(default)]
    pub secret_next: Option<Secret>,
    /// The file that `secret_next` was read from. Default none.
    #[serde(default)]
    pub secret_next_file: Option<PathBuf>,
    /// The channel access token; empty only beside a `channel_id`.
    #[serde(default = "none_yet")]
    pub token: Secret,
    /// The file that `token` was read from. Default none.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// The channel's id, with which tokens are fetched. Default none.
    #[serde(default)]
    pub channel_id: Option<String>,
    /// How messages go out. Default none: as it is, and `prefer_reply` for a new one.
    #[serde(default)]
    pub delivery_mode: Option<DeliveryMode>,
    /// Whether this is only how the account begins: what others have set goes before it. So it is with that of the sandbox,
    /// where nobody has written a file.
    #[serde(skip)]
    pub is_default: bool,
}

impl ProvisionedAccount {
    /// How it speaks to LINE.
    pub fn credential(&self) -> Credential {
        match &self.channel_id {
            Some(id) => Credential::ChannelId(id.clone()),
            None => Credential::Token(self.token.clone()),
        }
    }
}

/// A customer, declared in the file or known already.
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

/// Stands in until the file is read; the check of the configuration file saw that there is one.
fn none_yet() -> Secret {
    Secret::new("")
}
