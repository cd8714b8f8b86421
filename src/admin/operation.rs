//! The operations of administrative commands, run either on the file or within the running server.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::{erasure, replay};
use crate::error::{Error, Result};
use crate::model::accounts::account::{Credential, DeliveryMode, NewAccount};
use crate::model::accounts::customer::{MessageDays, ProfileChange};
use crate::model::id::{AccountId, CustomerId, EventId};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::accounts::customers;
use crate::store::files::media_store::MediaStore;
use crate::store::{Store, accounts, webhooks};

/// An operation with its arguments.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminOperation {
    /// Adds a customer, or updates the one with this id.
    SetCustomer {
        /// The id that tokens carry.
        id: CustomerId,
        /// The display name; optional for an existing customer.
        name: Option<String>,
        /// A free-form note.
        detail: Option<String>,
        /// How long its messages are retained.
        message_days: MessageDays,
    },
    /// Connects a LINE channel.
    ConnectAccount {
        /// The owner of the channel.
        customer: CustomerId,
        /// The channel.
        channel: NewChannel,
    },
    /// Delivers an event to a customer again.
    ReplayDelivery {
        /// The customer.
        customer: CustomerId,
        /// The delivery.
        id: EventId,
    },
    /// Rotates the secret that signs a customer's webhook deliveries.
    RotateSecret {
        /// The customer.
        customer: CustomerId,
    },
    /// Applies events of the journal that an earlier version did not understand or could not apply. Returns a
    /// [`replay::ReplayPage`].
    ReplayJournal {
        /// Only events received since then, in microseconds since 1970.
        since: i64,
        /// Only events after this one.
        after: i64,
    },
    /// Runs one step of an erasure. Returns an [`erasure::Done`].
    Erase {
        /// Who or what is erased.
        whom: erasure::Whom,
        /// Which step.
        step: erasure::Step,
    },
}

/// A LINE channel with plain-text credentials: it is sent only over the socket, which only its owner may open.
#[derive(Serialize, Deserialize)]
pub struct NewChannel {
    /// The id of the account.
    pub id: AccountId,
    /// The display name.
    pub name: String,
    /// A free-form note.
    pub detail: String,
    /// The channel secret.
    pub secret: String,
    /// The secret that will replace it.
    pub secret_next: Option<String>,
    /// The channel access token.
    pub token: Option<String>,
    /// The channel's id, instead of a token.
    pub channel_id: Option<String>,
    /// Whether messages are never sent as free replies.
    pub push_only: bool,
}

impl AdminOperation {
    /// The command that starts with this operation; `None` for one that continues a command.
    pub fn started_command(&self) -> Option<&'static str> {
        match self {
            Self::SetCustomer { .. } => Some("customer add"),
            Self::ConnectAccount { .. } => Some("account add"),
            Self::ReplayDelivery { .. } => Some("webhooks replay"),
            Self::RotateSecret { .. } => Some("webhooks rotate"),
            Self::ReplayJournal { after, .. } => (*after == 0).then_some("replay"),
            Self::Erase { step, .. } => (*step == erasure::FIRST).then_some("erase"),
        }
    }

    /// Runs the operation and returns its result. Waits for the writer, which it holds only briefly.
    pub fn run(self, store: &Store, data_directory: &Path, now: Timestamp) -> Result<Value> {
        match self {
            Self::SetCustomer { id, name, detail, message_days } => {
                let change = ProfileChange { name, detail, message_days, ..ProfileChange::default() };
                done(store.write_blocking(now, move |tx| {
                    if change.name.is_none() && customers::find(tx, id)?.is_none() {
                        return Err(Error::Unusable(
                            "there is no customer with this id yet: a new one needs a --name".to_owned(),
                        ));
                    }
                    customers::update(tx, id, change)
                }))
            }
            Self::ConnectAccount { customer, channel } => {
                let account = channel.account()?;
                done(store.write_blocking(now, move |tx| accounts::create(tx, customer, &account)))
            }
            Self::ReplayDelivery { customer, id } => {
                done(store.write_blocking(now, move |tx| webhooks::history::replay(tx, customer, id)))
            }
            Self::RotateSecret { customer } => {
                done(store.write_blocking(now, move |tx| webhooks::endpoints::rotate(tx, customer).map(drop)))
            }
            Self::ReplayJournal { since, after } => {
                done(replay::page(store, Timestamp::from_microseconds(since), after, now))
            }
            Self::Erase { whom, step } => {
                let media_store = MediaStore::open(data_directory)?;
                done(erasure::step(store, &media_store, &whom, step, now))
            }
        }
    }
}

/// Deserializes the result of an operation.
pub fn parse_result<T: DeserializeOwned>(result: Value) -> Result<T> {
    serde_json::from_value(result).map_err(Error::internal)
}

fn done(outcome: Result<impl Serialize>) -> Result<Value> {
    serde_json::to_value(outcome?).map_err(Error::internal)
}

impl NewChannel {
    fn account(self) -> Result<NewAccount> {
        let secret = |text: String| {
            let invalid = || Error::Unusable("a secret or token is malformed".to_owned());
            Secret::credential(&text).ok_or_else(invalid)
        };
        let credential = match (self.token, self.channel_id) {
            (Some(token), _) => Credential::Token(secret(token)?),
            (None, Some(id)) => Credential::ChannelId(id),
            (None, None) => {
                return Err(Error::Unusable("an account needs a token or a channel id".to_owned()));
            }
        };
        Ok(NewAccount {
            id: self.id,
            name: self.name,
            detail: self.detail,
            secret: secret(self.secret)?,
            secret_next: self.secret_next.map(secret).transpose()?,
            credential,
            delivery_mode: if self.push_only { DeliveryMode::PushOnly } else { DeliveryMode::PreferReply },
        })
    }
}
