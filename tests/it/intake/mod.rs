//! Webhooks from LINE: which are accepted, which are rejected, and what the API shows for their events.

mod event_kinds;
mod hostile;
mod odd_values;
mod order;
pub mod replay;
mod unsigned;
mod webhook;
