//! What the commands of this machine ask of a running server, over a socket in the data folder that only its owner may open.
//!
//! One connection carries one line with an [`operation::AdminOperation`] and one line with what came of it. What takes long is many
//! operations, so that neither end has to wait for the other to stop. While no server runs, the command does the same
//! operations on the file itself.

pub mod client;
pub mod erasure;
pub mod operation;
pub mod replay;
pub mod server;
mod socket;
mod wire;
