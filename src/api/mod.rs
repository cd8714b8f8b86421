//! The HTTP API: a folder per resource, and one list of all routes.

pub mod accounts;
pub mod conversations;
pub mod error;
pub mod events;
pub mod files;
pub mod json;
pub mod middleware;
pub mod openapi;
pub mod operator;
pub mod request;
pub mod route;
pub mod routes;
pub mod webhooks;
