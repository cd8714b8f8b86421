//! Whose conversations they are.

use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;

/// A customer: everything else belongs to exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The id that tokens carry.
    pub id: CustomerId,
    /// What it says about itself.
    pub profile: Profile,
    /// When it became known here.
    pub tm_create: Timestamp,
    /// When its profile last changed.
    pub tm_update: Timestamp,
}

/// What a customer says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// A name for people.
    pub name: String,
    /// A note for people.
    pub detail: String,
    /// The HTTP method with which the customer wants to be told of events; empty means POST.
    pub webhook_method: String,
    /// Where the customer wants to be told of events; empty means nowhere.
    pub webhook_uri: String,
}

/// What a token, the configuration or the command line says about a customer; `None` keeps what is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The name for people.
    pub name: Option<String>,
    /// The note for people.
    pub detail: Option<String>,
    /// The method with which the customer wants to be told of events.
    pub webhook_method: Option<String>,
    /// Where the customer wants to be told of events.
    pub webhook_uri: Option<String>,
}

impl From<Profile> for ProfileChange {
    fn from(profile: Profile) -> Self {
        let Profile { name, detail, webhook_method, webhook_uri } = profile;
        Self {
            name: Some(name),
            detail: Some(detail),
            webhook_method: Some(webhook_method),
            webhook_uri: Some(webhook_uri),
        }
    }
}
