//! Files of messages, and how they are fetched.

pub mod content;
pub mod fetch;
pub mod media;
