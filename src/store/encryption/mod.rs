//! Secrets at rest: sealed when they are stored, opened when they are read.

pub(in crate::store) mod keys;
pub(in crate::store) mod seal;
pub mod sealer;
