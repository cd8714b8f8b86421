//! Files: taken from customers, given to customers, to LINE and its users.

pub mod medias;
pub mod public_files;
pub mod range;
pub mod uploads;
