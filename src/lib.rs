//! kaiwa (会話, "conversation"): a self-hosted conversation server in one binary and one SQLite file.
//!
//! The layers, each of which uses only those before it:
//! `error < {model, files} < {contract, config, net} < store < line < runtime < worker <
//! {api, sandbox} < admin < server < command`.

pub mod admin;
pub mod api;
pub mod command;
pub mod config;
pub mod contract;
pub mod error;
pub mod files;
pub mod line;
pub mod metrics;
pub mod model;
pub mod net;
pub mod runtime;
pub mod sandbox;
pub mod server;
pub mod store;
pub mod worker;

#[cfg(all(feature = "seeded-bugs", not(debug_assertions)))]
compile_error!("`seeded-bugs` adds deliberate faults for a test: it must not be in a release build");
