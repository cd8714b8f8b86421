//! A LINE platform of our own: people, groups, webhooks and LINE's API, for trying things out and for tests.

pub mod validation;
