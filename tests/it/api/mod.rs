//! What holds for every call of the API: its bodies, errors, limits and authentication.

mod base_path;
mod errors;
mod forged_tokens;
mod idempotency;
mod limits;
mod requests;
mod tutorial;
