//! What a command does to the database: the same on the file as within the running server.

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

/// An operation, with everything that it needs to know.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminOperation {
    /// Adds a customer, or changes the one with this id.
    SetCustomer {
        /// The id that tokens carry.
        id: CustomerId,
        /// The name for people; of a customer who is there already it may be left out.
        name: Option<String>,
        /// The note for people.
        detail: Option<String>,
        /// For how long its messages are kept.
        message_days: MessageDays,
    },
    /// Connects a LINE channel.
    ConnectAccount {
        /// Whose channel it is.
        customer: CustomerId,
        /// The channel.
        channel: NewChannel,
    },
    /// Tells a customer once more of an event.
    ReplayDelivery {
        /// The customer.
        customer: CustomerId,
        /// The delivery.
        id: EventId,
    },
    /// Exchanges the secret with which a customer's deliveries are signed.
    RotateSecret {
        /// The customer.
        customer: CustomerId,
    },
    /// Applies events of the journal that an earlier version did not understand or could not apply. Answers with a
    /// [`replay::ReplayPage`].
    ReplayJournal {
        /// Those that were received since then, in microseconds since 1970.
        since: i64,
        /// Those behind this one.
        after: i64,
    },
    /// Does one step of erasing every trace of somebody. Answers with an [`erasure::Done`].
    Erase {
        /// Who or what is erased.
        whom: erasure::Whom,
        /// Which step.
        step: erasure::Step,
    },
}

/// A LINE channel as it travels over the socket, which only its owner may open.
#[derive(Serialize, Deserialize)]
pub struct NewChannel {
    /// The id of the account.
    pub id: AccountId,
    /// The name for people.
    pub name: String,
    /// The note for people.
    pub detail: String,
    /// The channel secret.
    pub secret: String,
    /// The secret that takes its place.
    pub secret_next: Option<String>,
    /// The channel access token.
    pub token: Option<String>,
    /// The channel's id, in place of a token.
    pub channel_id: Option<String>,
    /// Whether nothing goes out as a free reply.
    pub push_only: bool,
}

impl AdminOperation {
    /// Which command begins with it; nothing for what only goes on.
    pub fn begun(&self) -> Option<&'static str> {
        match self {
            Self::SetCustomer { .. } => Some("customer add"),
            Self::ConnectAccount { .. } => Some("account add"),
            Self::ReplayDelivery { .. } => Some("webhooks replay"),
            Self::RotateSecret { .. } => Some("webhooks rotate"),
            Self::ReplayJournal { after, .. } => (*after == 0).then_some("replay"),
            Self::Erase { step, .. } => (*step == erasure::FIRST).then_some("erase"),
        }
    }

    /// Does it, and says what there is to say of it. Waits for the writer, which it holds for a moment only.
    pub fn run(self, store: &Store, data_directory: &Path, now: Timestamp) -> Result<Value> {
        match self {
            Self::SetCustomer { id, name, detail, message_days } => {
                let change = ProfileChange { name, detail, message_days, ..ProfileChange::default() };
                done(store.write_blocking(now, move |tx| {
                    if change.name.is_none() && customers::find(tx, id)?.is_none() {
                        return Err(Error::Unusable(
                            "no customer has this id yet: give it a --name".to_owned(),
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
                let folder = MediaStore::open(data_directory)?;
                done(erasure::step(store, &folder, &whom, step, now))
            }
        }
    }
}

/// What an operation had to say, as the command reads it.
pub fn answer<T: DeserializeOwned>(said: Value) -> Result<T> {
    serde_json::from_value(said).map_err(Error::internal)
}

fn done(outcome: Result<impl Serialize>) -> Result<Value> {
    serde_json::to_value(outcome?).map_err(Error::internal)
}

impl NewChannel {
    fn account(self) -> Result<NewAccount> {
        let secret = |text: String| {
            let unfit = || Error::Unusable("a secret or token is none".to_owned());
            Secret::credential(&text).ok_or_else(unfit)
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
