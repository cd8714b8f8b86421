//! Speaking to addresses that somebody else chose: what may be spoken to, and the client that keeps to it.

pub mod call;
pub mod client;
pub mod guard;
mod signature;
