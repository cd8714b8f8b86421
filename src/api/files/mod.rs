//! Files: uploaded by customers, and served to customers, LINE and its users.

pub mod medias;
pub mod public_files;
pub mod range;
pub mod uploads;
