//! Customers, who own accounts and conversations.

use serde::{Deserialize, Serialize};

use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;

/// A customer; everything else belongs to exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The id in the customer's tokens.
    pub id: CustomerId,
    /// Its profile.
    pub profile: CustomerProfile,
    /// How many days its messages are kept, 0 for no limit; `None` uses the server's setting.
    pub message_days: Option<u32>,
    /// When it was first seen.
    pub tm_create: Timestamp,
    /// When its profile last changed.
    pub tm_update: Timestamp,
}

/// The profile of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerProfile {
    /// A name for people.
    pub name: String,
    /// A note for people.
    pub detail: String,
    /// The HTTP method of calls to the customer's webhook; empty means POST.
    pub webhook_method: String,
    /// The URL of the customer's webhook; empty means none.
    pub webhook_uri: String,
}

/// A change of a profile; `None` keeps the present value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The name for people.
    pub name: Option<String>,
    /// The note for people.
    pub detail: Option<String>,
    /// The HTTP method of the webhook.
    pub webhook_method: Option<String>,
    /// The URL of the webhook.
    pub webhook_uri: Option<String>,
    /// How long messages are kept.
    pub message_days: MessageDays,
}

/// How long the messages of a customer are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageDays {
    /// As before.
    #[default]
    Keep,
    /// As the server's settings say.
    AsConfigured,
    /// This many days; 0 for no limit.
    Days(u32),
}

impl ProfileChange {
    /// Removes each set field for which `keep` returns false.
    pub fn retain(&mut self, mut keep: impl FnMut(&'static str) -> bool) {
        for (field, value) in [
            ("name", &mut self.name),
            ("detail", &mut self.detail),
            ("webhook_method", &mut self.webhook_method),
            ("webhook_uri", &mut self.webhook_uri),
        ] {
            if value.is_some() && !keep(field) {
                *value = None;
            }
        }
        if self.message_days != MessageDays::Keep && !keep("message_days") {
            self.message_days = MessageDays::Keep;
        }
    }

    /// Removes the fields that already have these values.
    pub fn without_unchanged(self, known: &CustomerProfile) -> Self {
        Self {
            name: self.name.filter(|name| *name != known.name),
            detail: self.detail.filter(|detail| *detail != known.detail),
            webhook_method: self.webhook_method.filter(|method| *method != known.webhook_method),
            webhook_uri: self.webhook_uri.filter(|uri| *uri != known.webhook_uri),
            message_days: self.message_days,
        }
    }
}
