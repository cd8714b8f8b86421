//! The migrations of older files to the present schema, each in its own file.
//!
//! Version 1 is the schema in `tests/it/fixtures/version_1.sql`. All migrations together result in the same tables, columns,
//! indexes and foreign keys as `schema.sql`, which a test compares, and keep all rows. They run in one transaction and without
//! foreign keys, so that a table can be replaced: a new one is created under another name, the rows are copied, the old one is
//! dropped and the new one renamed. Foreign keys are checked at the end.

/// Migration `n` (from 0) takes a file from version `n + 1` to version `n + 2`. One line for each, new ones at the end; those of
/// a release are neither changed nor moved. Git keeps the lines of both sides when two branches add some.
#[rustfmt::skip]
pub const MIGRATIONS: &[&str] = &[
    include_str!("conversations_answerable.sql"),
    include_str!("participants_picture.sql"),
    include_str!("medias_unsent.sql"),
    include_str!("medias_source_preview.sql"),
    include_str!("sealing_is_added.sql"),
    include_str!("conversations_member_count.sql"),
    include_str!("retention.sql"),
    include_str!("events.sql"),
    include_str!("idempotency_keys.sql"),
    include_str!("webhooks.sql"),
    include_str!("participants_present.sql"),
    include_str!("medias_errand.sql"),
    include_str!("message_uploads.sql"),
    include_str!("sources.sql"),
    include_str!("checksums.sql"),
    include_str!("media_usage.sql"),
    include_str!("participants_count.sql"),
    include_str!("messages_quotes.sql"),
    include_str!("checksums_of_quotes.sql"),
    include_str!("suspensions.sql"),
];
