//! Paths that are used outside their routes too.

/// Where files are uploaded.
pub const UPLOADS: &str = "/v1.0/medias";

/// Where LINE and its users fetch sent files: the rest of the path is a secret.
pub const FILES: &str = "/m/";

/// Where LINE sends webhooks.
pub const WEBHOOK: &str = "/v1.0/conversation/accounts/{account_id}";
