//! Webhooks from LINE: what is taken, what is refused, and what events become.

mod event_kinds;
mod hostile;
mod odd_values;
mod order;
pub mod replay;
mod unsigned;
mod webhook;
