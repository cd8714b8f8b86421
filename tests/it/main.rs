//! The server as its users see it: over HTTP, on a free port, with its own database and its own LINE.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod accounts;
mod api;
mod chats;
mod command;
mod crash;
mod delivery;
mod documents;
mod erasure;
mod events;
mod harness;
mod intake;
mod media;
mod openapi;
mod outbound;
mod server;
mod storage;
mod tidy;
mod webhooks;
