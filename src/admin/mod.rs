//! Administrative commands to a running server, over a Unix socket in the data directory that only its owner
//! may open.
//!
//! A connection carries one line with an [`operation::AdminOperation`] and one line with its outcome. Long work
//! is split into many operations, so that neither end has to wait for the other to stop. While no server runs,
//! the command runs the same operations on the database file itself.

pub mod client;
pub mod erasure;
pub mod operation;
pub mod replay;
pub mod server;
mod socket;
mod wire;
