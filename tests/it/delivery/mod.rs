//! Delivery to LINE: outcomes, order, free replies and retries.

mod broken_responses;
mod lanes;
mod outcomes;
mod reply;
mod retry;
