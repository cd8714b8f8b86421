//! LINE's wire: signatures, webhook bodies, and the client that speaks to LINE's API.

pub mod signature;
