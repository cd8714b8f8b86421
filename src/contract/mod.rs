//! The public API's JSON shapes and paths. Stored data and decisions are in `model`, which knows no transport.

pub mod paths;
pub mod views;
pub mod webhook_views;
