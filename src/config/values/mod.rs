//! Configuration values that need parsing.

pub(in crate::config) mod duration;
pub(in crate::config) mod network;
pub(in crate::config) mod web_address;
