//! SQLite as everything else sees it: one writer that commits in groups, readers beside it, the schema and its migrations,
//! how values and errors cross over, and what a damaged value costs.

pub(in crate::store) mod checkpoint;
pub(in crate::store) mod checksum;
pub(in crate::store) mod connection;
pub mod damage;
pub(in crate::store) mod failure;
pub mod health;
pub mod listeners;
pub mod location;
pub mod lock;
pub mod schema;
mod seeded;
pub(in crate::store) mod stamps;
pub mod transaction;
pub(in crate::store) mod values;
pub(in crate::store) mod writer;
