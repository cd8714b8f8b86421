//! Values of the configuration that are more than a text or a number.

pub(in crate::config) mod duration;
pub(in crate::config) mod network;
pub(in crate::config) mod web_address;
