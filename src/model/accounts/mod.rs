//! Accounts and customers, and the sources of their fields.

pub mod account;
pub mod customer;
pub mod sources;
