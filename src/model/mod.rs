//! The domain model: validated values, and decisions as pure functions.

pub mod accounts;
pub mod capacity;
pub mod chats;
pub mod clock;
pub mod created;
pub mod delivery;
pub mod files;
pub mod id;
pub mod network;
pub mod object;
pub mod page;
pub mod progress;
pub mod rate;
pub mod secret;
pub mod timestamp;
pub mod webhooks;
