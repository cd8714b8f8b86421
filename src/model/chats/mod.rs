//! Chats and conversations, and messages as they are sent, received and shown.

pub mod address;
pub mod chat;
pub mod conversation;
pub mod inbound;
pub mod mention;
pub mod message;
pub mod outgoing;
pub mod text;
