//! The live feed.

pub mod feed;
pub mod tickets;
