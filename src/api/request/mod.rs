//! What handlers take from a request: who asks, bodies and files, fields, the query, the idempotency key; and what is refused there.

pub mod body;
pub mod caller;
pub mod capacity;
pub mod deadline;
pub mod field;
pub mod file_body;
pub mod idempotency;
pub mod query;
pub mod remote;
pub mod same_origin;
