//! Events: changes of what the API shows, for feeds and webhooks.

use crate::model::id::EventId;
use crate::model::timestamp::Timestamp;

/// A stored event, borrowed from its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRow<'row> {
    /// Its position among all events; it only grows.
    pub sequence: i64,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When it happened.
    pub created_at: Timestamp,
    /// What the API showed after it, as JSON on one line; for what was unsent since then, what the API shows now.
    pub data: &'row str,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A chat started.
    ConversationCreated,
    /// A conversation was renamed, or a participant joined, left or got a name.
    ConversationUpdated,
    /// A message was received, or is to be sent.
    MessageCreated,
    /// A message was sent, failed, retried, edited or unsent, or the status of one of its files changed.
    MessageUpdated,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 4] =
        [Self::ConversationCreated, Self::ConversationUpdated, Self::MessageCreated, Self::MessageUpdated];
}
