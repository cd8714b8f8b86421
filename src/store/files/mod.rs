//! Files of messages: what is known of each, where it comes from, and the folder in which its bytes lie.

pub mod hashing;
pub mod media_store;
pub mod medias;
pub mod previews;
pub mod uploads;
