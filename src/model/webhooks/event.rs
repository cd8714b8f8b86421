//! What a customer is told of: a change of something that the API shows.

use crate::model::id::EventId;
use crate::model::timestamp::Timestamp;

/// An event as it is read from storage, borrowed from the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRow<'row> {
    /// Its place among all events: larger than that of every earlier one.
    pub sequence: i64,
    /// Its id.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When it happened.
    pub created_at: Timestamp,
    /// What the API showed after it, as JSON in one line. Of what was withdrawn since then, what the API shows now.
    pub data: &'row str,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A chat began.
    ConversationCreated,
    /// A conversation was renamed, somebody joined or left it, or got a name.
    ConversationUpdated,
    /// A message came in, or is to be sent.
    MessageCreated,
    /// A message was sent, failed, is sent again, was edited or withdrawn, or one of its files got another state.
    MessageUpdated,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 4] =
        [Self::ConversationCreated, Self::ConversationUpdated, Self::MessageCreated, Self::MessageUpdated];
}
