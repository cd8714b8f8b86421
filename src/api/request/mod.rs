//! What handlers extract from a request: the caller, bodies and files, fields, the query, the idempotency key;
//! and the checks on them.

pub mod body;
pub mod body_timeout;
pub mod caller;
pub mod capacity;
pub mod client_address;
pub mod field;
pub mod file_body;
pub mod idempotency_key;
pub mod query;
pub mod same_origin;
pub mod state;
