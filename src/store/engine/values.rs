//! How the types of the model are stored, so that a column is read as its own type.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::model::accounts::account::{DeliveryMode, SuspensionReason};
use crate::model::accounts::sources::FieldSources;
use crate::model::chats::chat::{ChatKind, LineId};
use crate::model::chats::conversation::Reachability;
use crate::model::chats::message::{FailureReason, Status};
use crate::model::files::fetch::MediaTask;
use crate::model::files::media::{MediaStatus, MediaType};
use crate::model::id::{AccountId, ConversationId, CustomerId, EventId, MediaId, MessageId, RetryKey};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::model::webhooks::webhook::{AttemptError, DisabledReason};
use crate::model::webhooks::webhook_delivery::DeliveryState;
use crate::store::engine::damage::Text;

/// How many rows a statement reads or changes at most.
pub(in crate::store) struct Limit(pub(in crate::store) usize);

impl ToSql for Limit {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(i64::try_from(self.0).unwrap_or(i64::MAX)))
    }
}

/// A count or a length. What is negative is damage, and counts as 0.
pub(in crate::store) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// Ids are stored as their 16 bytes.
macro_rules! stored_as_bytes {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let bytes = value.as_blob()?;
                let size = FromSqlError::InvalidBlobSize { expected_size: 16, blob_size: bytes.len() };
                bytes.try_into().map(Self::from_bytes).map_err(|_| size)
            }
        }
    )+};
}

/// Choices are stored as words, which a person with a database shell can read.
macro_rules! stored_as_words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let word = match self { $(Self::$variant => $word),+ };
                Ok(ToSqlOutput::Borrowed(ValueRef::Text(word.as_bytes())))
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

stored_as_bytes!(CustomerId, AccountId, ConversationId, EventId, MediaId, MessageId, RetryKey);

stored_as_words!(ChatKind { User = "user", Group = "group", Room = "room" });
stored_as_words!(Reachability { Open = "open", Blocked = "blocked", Left = "left" });
stored_as_words!(Status { Received = "received", Sending = "sending", Sent = "sent", Failed = "failed" });
stored_as_words!(EventKind {
    ConversationCreated = "conversation_created",
    ConversationUpdated = "conversation_updated",
    MessageCreated = "conversation_message_created",
    MessageUpdated = "conversation_message_updated",
});
stored_as_words!(SuspensionReason {
    Token = "token",
    Permission = "permission",
    Quota = "quota",
    Redirect = "redirect",
});
stored_as_words!(DeliveryMode { PreferReply = "prefer_reply", PushOnly = "push_only" });
stored_as_words!(MediaStatus { Pending = "pending", Stored = "stored", Gone = "gone" });
stored_as_words!(MediaTask { Remove = "remove", FetchFromLine = "fetch_line", FetchFromElsewhere = "fetch_elsewhere" });
stored_as_words!(MediaType {
    Image = "image",
    Video = "video",
    Audio = "audio",
    File = "file",
    Location = "location",
    Sticker = "sticker",
    Template = "template",
    Imagemap = "imagemap",
    Flex = "flex",
});
stored_as_words!(FailureReason {
    Refused = "refused",
    Unreachable = "unreachable",
    OutcomeUnknown = "outcome_unknown",
    AccountRemoved = "account_removed",
    Internal = "internal",
});

stored_as_words!(DeliveryState {
    Waiting = "waiting",
    Sending = "sending",
    Delivered = "delivered",
    Failed = "failed",
});
stored_as_words!(AttemptError {
    Timeout = "timeout",
    Unreachable = "unreachable",
    AddressRefused = "address_refused",
    AnswerUnreadable = "answer_unreadable",
    Interrupted = "interrupted",
});
stored_as_words!(DisabledReason { Gone = "gone", Failing = "failing" });

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_microseconds()))
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_microseconds)
    }
}

impl ToSql for FieldSources {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(self)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    }
}

impl FromSql for FieldSources {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for LineId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.as_str()))
    }
}

impl FromSql for LineId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

impl ToSql for Secret {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.expose()))
    }
}

/// A damaged value reads as a secret that nobody knows, so that comparisons with it fail. It never reads as an empty one.
impl FromSql for Secret {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Text(_) => Text::column_result(value).map(|Text(text)| Self::new(text)),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
