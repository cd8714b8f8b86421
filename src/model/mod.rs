//! The words of the domain: values that were checked once, and decisions that need nothing but values.

pub mod account;
pub mod chat;
pub mod clock;
pub mod content;
pub mod conversation;
pub mod created;
pub mod customer;
pub mod delivery;
pub mod fetch;
pub mod id;
pub mod inbound;
pub mod media;
pub mod message;
pub mod network;
pub mod outgoing;
pub mod page;
pub mod rate;
pub mod secret;
pub mod text;
pub mod timestamp;
