//! The shapes of the public API: names, order and formats of its JSON. What is stored and decided lies in `model`, which
//! knows no transport.

pub mod paths;
pub mod views;
pub mod webhook_views;
