//! Accounts and customers, and who has set which of their fields.

pub mod account;
pub mod customer;
pub mod sources;
