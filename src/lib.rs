//! kaiwa (会話, "conversation"): a self-hosted conversation server in one binary and one SQLite file.
//!
//! The layers, each of which uses only those before it:
//! `error < model < config < store < line < worker < {api, sandbox} < server < command`.

pub mod error;
pub mod line;
pub mod model;
pub mod sandbox;
