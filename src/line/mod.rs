//! LINE's wire: signatures, webhook bodies, request bodies, and the client that speaks to LINE's API.

pub mod answer;
pub mod client;
pub mod push;
pub mod quota;
pub mod reply;
pub mod said;
pub mod signature;
pub mod signs;
pub mod token;
pub mod webhook;
