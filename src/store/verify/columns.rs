//! Checks for the values of each column beyond their type: whether the program can read them.

use rusqlite::types::{FromSql, ValueRef};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::model::accounts::account::{DeliveryMode, SuspensionReason};
use crate::model::accounts::sources::FieldSources;
use crate::model::chats::chat::{ChatKind, LineId};
use crate::model::chats::conversation::Reachability;
use crate::model::chats::mention::Mention;
use crate::model::chats::message::{FailureReason, Status};
use crate::model::files::media::{Media, MediaStatus, MediaType};
use crate::model::id::{AccountId, ConversationId, CustomerId, EventId, MediaId, MessageId, RetryKey};
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::model::webhooks::webhook::{AttemptError, DisabledReason};
use crate::model::webhooks::webhook_delivery::DeliveryState;
use crate::store::encryption::seal;

/// Whether a value that is not NULL can be read by the program.
pub(in crate::store) type Reads = fn(ValueRef<'_>) -> bool;

/// Largest number that is ever given or counted: above it, not every JSON parser is exact.
const NUMBER_MAX: i64 = 1 << 53;

/// The check for a column; `None` for texts and bytes without a constraint.
pub(in crate::store) fn reads_of(table: &str, column: &str) -> Option<Reads> {
    let found = COLUMNS.iter().find(|(of, name, _)| (*of, *name) == (table, column));
    found.map(|(_, _, reads)| *reads)
}

/// Columns with a check: every number, and every text or blob with a constraint.
pub(in crate::store) const COLUMNS: &[(&str, &str, Reads)] = &[
    ("clock", "only", is_flag),
    // Its valid values depend on the rows: see `stamps.rs`.
    ("clock", "last_stamp", reads::<i64>),
    ("sealing", "only", is_flag),
    ("sealing", "probe", is_sealed),
    ("customers", "key", is_key),
    ("customers", "id", reads::<CustomerId>),
    ("customers", "message_days", reads::<u32>),
    ("customers", "tm_create", is_time),
    ("customers", "tm_update", is_time),
    ("customers", "events_pruned", is_count),
    ("customers", "sources", reads::<FieldSources>),
    ("accounts", "key", is_key),
    ("accounts", "id", reads::<AccountId>),
    ("accounts", "customer", is_key),
    ("accounts", "secret", is_sealed),
    ("accounts", "secret_next", is_sealed),
    ("accounts", "token", is_sealed),
    ("accounts", "token_expires_at", is_time),
    ("accounts", "token_refresh_at", is_time),
    ("accounts", "delivery_mode", reads::<DeliveryMode>),
    ("accounts", "check_state", is_check_state),
    ("accounts", "suspension_reason", reads::<SuspensionReason>),
    ("accounts", "suspended_until", is_time),
    ("accounts", "tm_create", is_time),
    ("accounts", "tm_update", is_time),
    ("accounts", "tm_delete", is_time),
    ("accounts", "sources", reads::<FieldSources>),
    ("conversations", "key", is_key),
    ("conversations", "id", reads::<ConversationId>),
    ("conversations", "customer", is_key),
    ("conversations", "account", is_key),
    ("conversations", "chat_kind", reads::<ChatKind>),
    ("conversations", "chat_id", reads::<LineId>),
    ("conversations", "reach", reads::<Reachability>),
    ("conversations", "reach_at", is_time),
    ("conversations", "standby", is_flag),
    ("conversations", "standby_at", is_time),
    ("conversations", "reply_token_at", is_time),
    ("conversations", "read_token_at", is_time),
    ("conversations", "participant_count", reads::<u32>),
    ("conversations", "member_count", reads::<u32>),
    ("conversations", "tm_create", is_time),
    ("conversations", "tm_update", is_time),
    ("participants", "conversation", is_key),
    ("participants", "position", reads::<u32>),
    ("participants", "target", reads::<LineId>),
    ("participants", "named_at", is_time),
    ("participants", "picture", is_key),
    ("participants", "present", is_flag),
    ("participants", "present_at", is_time),
    ("lookups", "conversation", is_key),
    ("lookups", "target", reads::<LineId>),
    ("lookups", "due_at", is_time),
    ("lookups", "attempts", reads::<u32>),
    ("messages", "conversation", is_key),
    ("messages", "tm_create", is_time),
    ("messages", "id", reads::<MessageId>),
    ("messages", "status", reads::<Status>),
    ("messages", "medias", is_json::<Vec<Media>>),
    ("messages", "occurred_at", is_time),
    ("messages", "edited_at", is_time),
    ("messages", "mentions", is_json::<Vec<Mention>>),
    ("messages", "failure_reason", reads::<FailureReason>),
    ("messages", "cost", reads::<u32>),
    ("messages", "tm_update", is_time),
    ("messages", "tm_delete", is_time),
    ("messages", "checksum", is_count),
    ("sent_ids", "conversation", is_key),
    ("sent_ids", "message_stamp", is_time),
    ("events", "sequence", is_key),
    ("events", "id", reads::<EventId>),
    ("events", "customer", is_key),
    ("events", "conversation", is_key),
    ("events", "message_stamp", is_time),
    ("events", "kind", reads::<EventKind>),
    ("events", "created_at", is_time),
    ("events", "data", is_json::<IgnoredAny>),
    ("events", "checksum", is_count),
    ("medias", "key", is_key),
    ("medias", "id", reads::<MediaId>),
    ("medias", "customer", is_key),
    ("medias", "conversation", is_key),
    ("medias", "message_stamp", is_time),
    ("medias", "kind", reads::<MediaType>),
    ("medias", "status", reads::<MediaStatus>),
    ("medias", "size", is_count),
    ("medias", "sha256", reads::<[u8; 32]>),
    ("medias", "due_at", is_time),
    ("medias", "attempts", reads::<u32>),
    ("medias", "tm_create", is_time),
    ("medias", "sent", is_flag),
    ("media_usage", "customer", is_key),
    ("media_usage", "bytes", is_count),
    ("message_uploads", "conversation", is_key),
    ("message_uploads", "message_stamp", is_time),
    ("message_uploads", "media", is_key),
    ("idempotency_keys", "customer", is_key),
    ("idempotency_keys", "name", reads::<[u8; 32]>),
    ("idempotency_keys", "request", reads::<[u8; 32]>),
    ("idempotency_keys", "created_id", reads::<MessageId>),
    ("idempotency_keys", "noted_at", is_time),
    ("webhook_events", "key", is_key),
    ("webhook_events", "account", is_key),
    ("webhook_events", "result", is_result),
    ("webhook_events", "occurred_at", is_time),
    ("webhook_events", "received_at", is_time),
    ("webhook_events", "body", is_json::<IgnoredAny>),
    ("webhook_events", "checksum", is_count),
    ("deliveries", "key", is_key),
    ("deliveries", "conversation", is_key),
    ("deliveries", "message_stamp", is_time),
    ("deliveries", "state", is_delivery_state),
    ("deliveries", "body", is_json::<IgnoredAny>),
    ("deliveries", "retry_key", reads::<RetryKey>),
    ("deliveries", "attempts", reads::<u32>),
    ("deliveries", "ambiguous", is_flag),
    ("deliveries", "created_at", is_time),
    ("deliveries", "first_attempt_at", is_time),
    ("deliveries", "last_attempt_at", is_time),
    ("deliveries", "line_message_ids", is_json::<Vec<String>>),
    ("deliveries", "cost", reads::<u32>),
    ("deliveries", "checksum", is_count),
    ("lanes", "conversation", is_key),
    ("lanes", "account", is_key),
    ("lanes", "in_flight", is_flag),
    ("lanes", "slow", is_flag),
    ("lanes", "due_at", is_time),
    ("webhook_endpoints", "customer", is_key),
    ("webhook_endpoints", "id", reads::<CustomerId>),
    ("webhook_endpoints", "secret", is_sealed),
    ("webhook_endpoints", "secret_previous", is_sealed),
    ("webhook_endpoints", "secret_previous_until", is_time),
    ("webhook_endpoints", "slow", is_flag),
    ("webhook_endpoints", "failing_since", is_time),
    ("webhook_endpoints", "failing_last", is_time),
    ("webhook_endpoints", "paused_until", is_time),
    ("webhook_endpoints", "disabled_reason", reads::<DisabledReason>),
    ("webhook_endpoints", "disabled_at", is_time),
    ("webhook_deliveries", "event", is_key),
    ("webhook_deliveries", "id", reads::<EventId>),
    ("webhook_deliveries", "customer", is_key),
    ("webhook_deliveries", "conversation", is_key),
    ("webhook_deliveries", "state", reads::<DeliveryState>),
    ("webhook_deliveries", "attempts", reads::<u32>),
    ("webhook_deliveries", "tries", reads::<u32>),
    ("webhook_deliveries", "first_attempt_at", is_time),
    ("webhook_deliveries", "last_attempt_at", is_time),
    ("webhook_deliveries", "tm_create", is_time),
    ("webhook_deliveries", "tm_update", is_time),
    ("webhook_attempts", "event", is_key),
    ("webhook_attempts", "number", reads::<u32>),
    ("webhook_attempts", "started_at", is_time),
    ("webhook_attempts", "duration_milliseconds", is_count),
    ("webhook_attempts", "status", reads::<u16>),
    ("webhook_attempts", "error", reads::<AttemptError>),
    ("webhook_lanes", "conversation", is_key),
    ("webhook_lanes", "customer", is_key),
    ("webhook_lanes", "in_flight", is_flag),
    ("webhook_lanes", "due_at", is_time),
];

fn reads<T: FromSql>(value: ValueRef<'_>) -> bool {
    T::column_result(value).is_ok()
}

/// A time that a list can show: a row created at any other time is on no page.
fn is_time(value: ValueRef<'_>) -> bool {
    Timestamp::column_result(value).is_ok_and(Timestamp::is_shown)
}

fn is_key(value: ValueRef<'_>) -> bool {
    value.as_i64().is_ok_and(|key| (1..=NUMBER_MAX).contains(&key))
}

fn is_count(value: ValueRef<'_>) -> bool {
    value.as_i64().is_ok_and(|count| (0..=NUMBER_MAX).contains(&count))
}

fn is_flag(value: ValueRef<'_>) -> bool {
    matches!(value, ValueRef::Integer(0 | 1))
}

/// No secret, or a sealed one. Whether the key opens it is checked where the key is available.
fn is_sealed(value: ValueRef<'_>) -> bool {
    value.as_str().is_ok_and(|text| text.is_empty() || seal::key_id(text).is_some_and(seal::is_key_id))
}

fn is_json<T: DeserializeOwned>(value: ValueRef<'_>) -> bool {
    value.as_bytes().is_ok_and(|text| serde_json::from_slice::<T>(text).is_ok())
}

fn is_one_of(value: ValueRef<'_>, words: &[&str]) -> bool {
    value.as_str().is_ok_and(|word| words.contains(&word))
}

fn is_check_state(value: ValueRef<'_>) -> bool {
    is_one_of(value, &["unchecked", "good", "refused", "unreachable"])
}

fn is_result(value: ValueRef<'_>) -> bool {
    is_one_of(value, &["applied", "unread", "failed"])
}

fn is_delivery_state(value: ValueRef<'_>) -> bool {
    is_one_of(value, &["queued", "sending", "accepted", "failed"])
}
