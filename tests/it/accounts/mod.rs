//! LINE accounts: their lifecycle, their credentials, and isolation between customers.

mod credentials;
mod lifecycle;
mod reconnect;
mod tenants;
