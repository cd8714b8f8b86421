//! Files of messages and uploads: their rows, their previews, and the media store with their bytes.

pub mod hashing;
pub mod media_store;
pub mod medias;
pub mod previews;
pub mod uploads;
