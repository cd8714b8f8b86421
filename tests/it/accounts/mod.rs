//! LINE accounts: their lifecycle, their credentials, and who may see what.

mod credentials;
mod lifecycle;
mod reconnect;
mod tenants;
