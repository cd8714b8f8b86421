//! Paths that more than their routes know.

/// Where files are uploaded.
pub const UPLOADS: &str = "/v1.0/medias";

/// Where LINE and its users fetch files that were sent: the rest of the path is a secret.
pub const FILES: &str = "/m/";

/// Where LINE's webhooks go.
pub const WEBHOOK: &str = "/v1.0/conversation/accounts/{account_id}";
