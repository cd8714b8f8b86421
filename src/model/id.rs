//! One type for each kind of identifier, so that two ids of different things cannot be swapped.

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
            /// The id that these bytes were stored for.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The bytes as they are stored.
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
                Uuid::try_parse(text).map(Self).map_err(|_| not_an_id())
            }
        }
    };
}

macro_rules! ordered {
    ($($name:ident),+) => {$(
        impl $name {
            /// A new id that sorts by the time at which it was made (UUID v7, RFC 9562).
            pub fn new(now: Timestamp) -> Self {
                Self(ordered_uuid(now))
            }
        }
    )+};
}

macro_rules! random {
    ($($name:ident),+) => {$(
        impl $name {
            /// An id that was never used before and that nobody can guess (UUID v4, RFC 9562).
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }
        }
    )+};
}

identifier!(
    /// Whose data it is.
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
    /// A file. Random, because it stands in addresses that LINE's users are given.
    MediaId
);
identifier!(
    /// The value of `X-Line-Retry-Key`: LINE executes requests that share it once within 24 hours.
    RetryKey
);
identifier!(
    /// Something that a customer is told.
    EventId
);

ordered!(CustomerId, AccountId, ConversationId, MessageId, EventId);
random!(MediaId, RetryKey);

fn not_an_id() -> Error {
    Error::invalid(InvalidRule::Id, "an id is a UUID such as a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f")
}

fn ordered_uuid(now: Timestamp) -> Uuid {
    let microseconds = u64::try_from(now.as_microseconds()).unwrap_or(0);
    let nanoseconds =
        u32::try_from(microseconds % 1_000_000 * 1_000).expect("less than a second of nanoseconds");
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, microseconds / 1_000_000, nanoseconds))
}
