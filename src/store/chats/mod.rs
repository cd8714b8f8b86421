//! Conversations, who takes part in them, and what is said in them.

pub mod conversations;
pub mod fetch_jobs;
pub mod inbound;
pub mod lookups;
pub mod members;
pub mod messages;
pub mod participants;
pub(in crate::store) mod quotes;
pub(in crate::store) mod received;
pub mod reconnection;
pub mod replays;
