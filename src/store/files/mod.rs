//! Media files: their rows, their origin, and the folder that holds their bytes.

pub mod hashing;
pub mod media_store;
pub mod medias;
pub mod previews;
pub mod uploads;
