//! Typed identifiers, so that ids of different kinds cannot be confused.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, InvalidRule};
use crate::model::timestamp::Timestamp;

macro_rules! identifier {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with these stored bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The bytes for storage.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Uuid::try_parse(text).map(Self).map_err(|_| invalid_id())
            }
        }
    };
}

macro_rules! ordered {
    ($($name:ident),+) => {$(
        impl $name {
            /// A new id that sorts by creation time (UUID v7, RFC 9562).
            pub fn new(now: Timestamp) -> Self {
                Self(ordered_uuid(now))
            }
        }
    )+};
}

macro_rules! random {
    ($($name:ident),+) => {$(
        impl $name {
            /// A new unguessable id (UUID v4, RFC 9562).
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }
    )+};
}

identifier!(
    /// A customer, who owns all other data.
    CustomerId
);
identifier!(
    /// A LINE channel that a customer has connected.
    AccountId
);
identifier!(
    /// A conversation with one LINE chat.
    ConversationId
);
identifier!(
    /// A message of a conversation.
    MessageId
);
identifier!(
    /// A file. Random, because it is part of URLs that LINE's users get.
    MediaId
);
identifier!(
    /// The value of `X-Line-Retry-Key`: LINE executes requests with the same key once within 24 hours.
    RetryKey
);
identifier!(
    /// An event for a customer.
    EventId
);

ordered!(CustomerId, AccountId, ConversationId, MessageId, EventId);
random!(MediaId, RetryKey);

fn invalid_id() -> Error {
    Error::invalid(InvalidRule::Id, "an id must be a UUID such as a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f")
}

fn ordered_uuid(now: Timestamp) -> Uuid {
    let microseconds = u64::try_from(now.as_microseconds()).unwrap_or(0);
    let nanoseconds =
        u32::try_from(microseconds % 1_000_000 * 1_000).expect("less than a second of nanoseconds");
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, microseconds / 1_000_000, nanoseconds))
}
