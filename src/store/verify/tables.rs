//! A query for each table that reads all of its columns.

/// A table, the query that reads all of it, and the columns that identify a row. The query of a table with a checksum ends
/// with a column `is_as_written`, which is NULL for a row without one.
pub(in crate::store) struct Table {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) sql: &'static str,
    pub(in crate::store) key: &'static [&'static str],
}

/// All tables, with all of their columns.
pub(in crate::store) const TABLES: &[Table] = &[
    Table {
        name: "clock",
        key: &["only"],
        sql: "
            SELECT only, last_stamp
            FROM clock",
    },
    Table {
        name: "sealing",
        key: &["only"],
        sql: "
            SELECT only, probe
            FROM sealing",
    },
    Table {
        name: "customers",
        key: &["key"],
        sql: "
            SELECT key, id, name, detail, webhook_method, webhook_uri, message_days, tm_create, tm_update,
                events_pruned, sources
            FROM customers",
    },
    Table {
        name: "accounts",
        key: &["key"],
        sql: "
            SELECT key, id, customer, name, detail, secret, secret_next, token, channel_id, token_expires_at,
                token_refresh_at, delivery_mode, check_state, check_message, bot_user_id, bot_basic_id,
                bot_display_name, bot_chat_mode, suspension_reason, suspension_message, suspended_until, tm_create, tm_update,
                tm_delete, sources
            FROM accounts",
    },
    Table {
        name: "conversations",
        key: &["key"],
        sql: "
            SELECT key, id, customer, account, chat_kind, chat_id, name, detail, reach, reach_at, standby,
                standby_at, reply_token, reply_token_at, read_token, read_token_at, participant_count, member_count,
                tm_create, tm_update
            FROM conversations",
    },
    Table {
        name: "participants",
        key: &["conversation", "position"],
        sql: "
            SELECT conversation, position, target, target_name, named_at, picture, present, present_at
            FROM participants",
    },
    Table {
        name: "lookups",
        key: &["conversation", "target"],
        sql: "
            SELECT conversation, target, due_at, attempts
            FROM lookups",
    },
    Table {
        name: "messages",
        key: &["conversation", "tm_create"],
        sql: "
            SELECT conversation, tm_create, id, status, source_target, text, medias, line_id, occurred_at,
                edited_at, quote_token, quoted_line_id, mentions, failure_reason, failure_message, cost, tm_update,
                tm_delete, checksum, checksum = iif(checksum >> 32 = 0, checksum(conversation, tm_create, id, status,
                source_target, text, medias, line_id, occurred_at, edited_at, failure_reason, failure_message, cost,
                tm_update, tm_delete), checksum2(conversation, tm_create, id, status, source_target, text, medias, line_id,
                occurred_at, edited_at, quote_token, quoted_line_id, mentions, failure_reason, failure_message, cost,
                tm_update, tm_delete)) AS is_as_written
            FROM messages",
    },
    Table {
        name: "sent_ids",
        key: &["conversation", "line_id"],
        sql: "
            SELECT conversation, line_id, message_stamp
            FROM sent_ids",
    },
    Table {
        name: "events",
        key: &["sequence"],
        sql: "
            SELECT sequence, id, customer, conversation, message_stamp, kind, created_at, data, checksum,
                checksum = checksum(id, customer, conversation, message_stamp, kind, created_at, data) AS
                is_as_written
            FROM events",
    },
    Table {
        name: "medias",
        key: &["key"],
        sql: "
            SELECT key, id, customer, conversation, message_stamp, kind, status, filename, content_type, size,
                sha256, source_message_id, source_url, source_preview_url, due_at, attempts, last_error, tm_create,
                sent, task
            FROM medias",
    },
    Table {
        name: "media_usage",
        key: &["customer"],
        sql: "
            SELECT customer, bytes
            FROM media_usage",
    },
    Table {
        name: "message_uploads",
        key: &["conversation", "message_stamp", "media"],
        sql: "
            SELECT conversation, message_stamp, media
            FROM message_uploads",
    },
    Table {
        name: "idempotency_keys",
        key: &["customer", "noted_at"],
        sql: "
            SELECT customer, name, request, created_kind, created_id, noted_at
            FROM idempotency_keys",
    },
    Table {
        name: "webhook_events",
        key: &["key"],
        sql: "
            SELECT key, account, event_id, kind, result, error, line_message_id, occurred_at, received_at, body,
                checksum, iif(body IS NULL, NULL, checksum = checksum(event_id, received_at, body)) AS is_as_written
            FROM webhook_events",
    },
    Table {
        name: "deliveries",
        key: &["key"],
        sql: "
            SELECT key, conversation, message_stamp, state, body, retry_key, reply_token, attempts, ambiguous,
                created_at, first_attempt_at, last_attempt_at, last_error, request_id, accepted_request_id,
                line_message_ids, cost, checksum, iif(body IS NULL, NULL, checksum = iif(checksum >> 32 = 0,
                checksum(body), checksum2(body, retry_key))) AS
                is_as_written
            FROM deliveries",
    },
    Table {
        name: "lanes",
        key: &["conversation"],
        sql: "
            SELECT conversation, account, in_flight, slow, due_at
            FROM lanes",
    },
    Table {
        name: "webhook_endpoints",
        key: &["customer"],
        sql: "
            SELECT customer, id, secret, secret_previous, secret_previous_until, slow, failing_since,
                failing_last, paused_until, disabled_reason, disabled_at
            FROM webhook_endpoints",
    },
    Table {
        name: "webhook_deliveries",
        key: &["event"],
        sql: "
            SELECT event, id, customer, conversation, state, attempts, tries, first_attempt_at, last_attempt_at,
                tm_create, tm_update
            FROM webhook_deliveries",
    },
    Table {
        name: "webhook_attempts",
        key: &["event", "number"],
        sql: "
            SELECT event, number, started_at, duration_milliseconds, status, error
            FROM webhook_attempts",
    },
    Table {
        name: "webhook_lanes",
        key: &["conversation"],
        sql: "
            SELECT conversation, customer, in_flight, due_at
            FROM webhook_lanes",
    },
];
