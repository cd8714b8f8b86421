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

/// What a customer says about itself, in a token, in the configuration or on the command line.
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
