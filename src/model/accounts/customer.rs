//! Whose conversations they are.

use serde::{Deserialize, Serialize};

use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;

/// A customer: everything else belongs to exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The id that tokens carry.
    pub id: CustomerId,
    /// What it says about itself.
    pub profile: CustomerProfile,
    /// Days for which its messages are kept, 0 is for ever; `None` leaves it to the settings.
    pub message_days: Option<u32>,
    /// When it became known here.
    pub tm_create: Timestamp,
    /// When its profile last changed.
    pub tm_update: Timestamp,
}

/// What a customer says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerProfile {
    /// A name for people.
    pub name: String,
    /// A note for people.
    pub detail: String,
    /// The HTTP method with which the customer wants to be told of events; empty means POST.
    pub webhook_method: String,
    /// Where the customer wants to be told of events; empty means nowhere.
    pub webhook_uri: String,
}

/// What somebody says about a customer; `None` keeps what is known.
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
    /// For how long its messages are kept.
    pub message_days: MessageDays,
}

/// For how long the messages of a customer are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageDays {
    /// As it was.
    #[default]
    Keep,
    /// As the settings of the server say.
    AsConfigured,
    /// For so many days; 0 is for ever.
    Days(u32),
}

impl ProfileChange {
    /// Leaves out each field that is named here and that `keep` does not keep.
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

    /// Leaves out what is so already.
    pub fn unlike(self, known: &CustomerProfile) -> Self {
        Self {
            name: self.name.filter(|name| *name != known.name),
            detail: self.detail.filter(|detail| *detail != known.detail),
            webhook_method: self.webhook_method.filter(|method| *method != known.webhook_method),
            webhook_uri: self.webhook_uri.filter(|uri| *uri != known.webhook_uri),
            message_days: self.message_days,
        }
    }
}
