//! The steps by which older files are carried up to the present schema, each in a file of its own.
//!
//! Version 1 is the schema that `tests/it/fixtures/version_1.sql` holds. A step alters what is there: it leaves the same
//! tables, columns, indexes and foreign keys as `schema.sql`, which a test compares, and keeps all rows. It runs within
//! one transaction with the others and without foreign keys, so that a table can be made anew: a new one under another
//! name, the rows copied, the old one dropped, the new one renamed. What the rows refer to is checked at the end.

/// Step `n` (from 0) carries a file of version `n + 1` to version `n + 2`. One line for each, a new one at the end; what
/// a release had is neither changed nor moved. Git keeps the lines of both sides when two branches add some.
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
