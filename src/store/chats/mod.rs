//! Conversations, their participants and their received messages. `store/message.rs` says what can be done with a
//! message.

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
