//! Encryption at rest: secrets are sealed before they are stored and opened when they are read.

pub(in crate::store) mod keys;
pub(in crate::store) mod seal;
pub mod sealer;
