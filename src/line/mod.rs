//! LINE's wire: signatures, webhook bodies, request bodies and LINE's rules for them, and the client that speaks to
//! LINE's API.

pub mod answer;
pub mod client;
pub mod content;
pub mod lenient;
pub mod mentions;
pub mod outgoing;
pub mod push;
pub mod quota;
pub mod reply;
pub mod said;
pub mod signature;
pub mod signs;
pub mod token;
pub mod told;
pub mod validation;
pub mod webhook;
