//! SQLite: one writer with group commit, concurrent readers, statements, the schema and its migrations, the conversion of
//! values and errors, and the treatment of damaged values.

pub(in crate::store) mod checkpoint;
pub(in crate::store) mod checksum;
pub(in crate::store) mod connection;
pub mod damage;
pub(in crate::store) mod failure;
pub mod health;
pub mod listeners;
pub mod location;
pub mod lock;
pub mod query;
pub mod schema;
mod seeded;
pub(in crate::store) mod stamps;
pub mod transaction;
pub(in crate::store) mod values;
pub(in crate::store) mod writer;
