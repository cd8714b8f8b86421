//! The server as its users meet it: over HTTP, on a free port, with a database and a LINE of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod accounts;
mod backup;
mod base_path;
mod crash;
mod credentials;
mod delivery;
mod doctor;
mod errors;
mod forged;
mod harness;
mod idempotency;
mod inbound;
mod kinds;
mod limits;
mod media;
mod metrics;
mod migration;
mod order;
mod outbound;
mod paging;
mod people;
mod program;
mod replay;
mod reply;
mod retry;
mod sealing;
mod signs;
mod storage;
mod supervised;
mod tenants;
mod tidy;
mod tls;
mod tutorial;
mod uploads;
mod webhook;
