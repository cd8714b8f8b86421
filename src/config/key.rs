//! The list of all configuration keys, with their types and limits.

use std::time::Duration;

/// A configuration key.
pub struct ConfigKey {
    /// The section and the name, joined by a dot.
    pub name: &'static str,
    /// The kind of its values.
    pub kind: ValueKind,
}

/// The kind of a key's values.
#[derive(Clone, Copy)]
pub enum ValueKind {
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// A value of this kind that is required in each table; a secret may be in a file instead.
    Needed(&'static Self),
    /// A UUID.
    Id,
    /// A path of a file or directory.
    Path,
    /// `host:port`.
    Listen,
    /// An http or https address.
    Receiver,
    /// An http or https address to which paths are appended.
    Base,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An integer between these limits, inclusive.
    Number(u64, u64),
    /// A duration between these limits, inclusive.
    Duration(Duration, Duration),
    /// Host names or addresses: a list in the file, comma-separated elsewhere.
    Hosts,
    /// Addresses or networks: a list in the file, comma-separated elsewhere.
    Networks,
    /// Empty, or a path prefix without a slash at its end.
    BasePath,
    /// Repeatable tables: `[[name]]`, in the file only.
    Tables,
}

const SHORTEST: Duration = Duration::from_millis(1);

/// LINE forgets retry keys after 24 hours; a later attempt could be executed twice.
const GIVE_UP_AFTER_MAX: Duration = Duration::from_hours(23);

/// Longer than any client repeats a request; each key is a row.
const IDEMPOTENCY_RETENTION_MAX: Duration = Duration::from_hours(30 * 24);

/// LINE considers a webhook failed after 2 seconds.
const WEBHOOK_TIMEOUT_MAX: Duration = Duration::from_millis(1999);

/// Events outlive the three days for which a customer's webhook is retried.
const EVENTS_MIN: Duration = Duration::from_hours(4 * 24);

/// A year. For older history there are the messages themselves.
const EVENTS_MAX: Duration = Duration::from_hours(8_766);

/// At most a hundred years; 0 means forever.
const DAYS: ValueKind = ValueKind::Number(0, 36_500);

/// An older name is of no use.
const PROFILE_TTL_MAX: Duration = Duration::from_hours(30 * 24);

/// A client uploads a file right before sending it.
const UPLOAD_TTL_MAX: Duration = Duration::from_hours(30 * 24);

/// All configuration keys.
pub const KEYS: &[ConfigKey] = &[
    ConfigKey::new("listen", ValueKind::Listen),
    ConfigKey::new("public_url", ValueKind::Base),
    ConfigKey::new("base_path", ValueKind::BasePath),
    ConfigKey::new("data_directory", ValueKind::Path),
    ConfigKey::new("database_file", ValueKind::Path),
    ConfigKey::new("workers", ValueKind::Number(1, 64)),
    ConfigKey::new("auth.jwt_key", ValueKind::Secret),
    ConfigKey::new("auth.jwt_key_file", ValueKind::Path),
    ConfigKey::new("tls.certificate_file", ValueKind::Path),
    ConfigKey::new("tls.key_file", ValueKind::Path),
    ConfigKey::new("proxies.trusted", ValueKind::Networks),
    ConfigKey::new("storage.secret_key", ValueKind::Secret),
    ConfigKey::new("storage.secret_key_file", ValueKind::Path),
    ConfigKey::new("storage.checkpoint", ValueKind::Word(&["internal", "external"])),
    ConfigKey::new("line.api_base", ValueKind::Base),
    ConfigKey::new("line.data_base", ValueKind::Base),
    ConfigKey::new("line.timeout", ValueKind::Duration(SHORTEST, Duration::from_mins(1))),
    ConfigKey::new("line.connect_timeout", ValueKind::Duration(SHORTEST, Duration::from_mins(1))),
    ConfigKey::new("line.profile_ttl", ValueKind::Duration(Duration::from_mins(1), PROFILE_TTL_MAX)),
    ConfigKey::new("delivery.wait", ValueKind::Duration(Duration::ZERO, Duration::from_mins(1))),
    ConfigKey::new("delivery.concurrency", ValueKind::Number(1, 1024)),
    ConfigKey::new("delivery.backoff_first", ValueKind::Duration(SHORTEST, Duration::from_hours(1))),
    ConfigKey::new("delivery.backoff_max", ValueKind::Duration(SHORTEST, GIVE_UP_AFTER_MAX)),
    ConfigKey::new("delivery.give_up_after", ValueKind::Duration(SHORTEST, GIVE_UP_AFTER_MAX)),
    ConfigKey::new("webhooks.concurrency", ValueKind::Number(1, 1024)),
    ConfigKey::new("webhooks.timeout", ValueKind::Duration(SHORTEST, Duration::from_mins(1))),
    ConfigKey::new("limits.body_bytes", ValueKind::Number(1024, 16 * 1024 * 1024)),
    ConfigKey::new("limits.webhook_body_bytes", ValueKind::Number(1024, 16 * 1024 * 1024)),
    ConfigKey::new("limits.request_timeout", ValueKind::Duration(SHORTEST, Duration::from_mins(5))),
    ConfigKey::new("limits.webhook_timeout", ValueKind::Duration(SHORTEST, WEBHOOK_TIMEOUT_MAX)),
    ConfigKey::new("limits.connections", ValueKind::Number(1, 1_000_000)),
    ConfigKey::new("limits.write_queue", ValueKind::Number(1, 100_000)),
    ConfigKey::new(
        "limits.idempotency_keep",
        ValueKind::Duration(Duration::from_hours(24), IDEMPOTENCY_RETENTION_MAX),
    ),
    ConfigKey::new("limits.shutdown_timeout", ValueKind::Duration(Duration::ZERO, Duration::from_mins(5))),
    ConfigKey::new(
        "limits.stall_timeout",
        ValueKind::Duration(Duration::from_secs(1), Duration::from_mins(5)),
    ),
    ConfigKey::new(
        "limits.feed_heartbeat",
        ValueKind::Duration(Duration::from_secs(1), Duration::from_mins(1)),
    ),
    ConfigKey::new("limits.feeds", ValueKind::Number(1, 1_000_000)),
    ConfigKey::new("limits.customer_feeds", ValueKind::Number(1, 1_000_000)),
    ConfigKey::new("limits.media_bytes", ValueKind::Number(1024, 4 * 1024 * 1024 * 1024)),
    ConfigKey::new("limits.media_customer_bytes", ValueKind::Number(1024, 1024 * 1024 * 1024 * 1024 * 1024)),
    ConfigKey::new("limits.upload_ttl", ValueKind::Duration(Duration::from_mins(1), UPLOAD_TTL_MAX)),
    ConfigKey::new("limits.token_requests_per_second", ValueKind::Number(0, 1_000_000)),
    ConfigKey::new("limits.token_requests_burst", ValueKind::Number(1, 1_000_000)),
    ConfigKey::new("limits.address_requests_per_second", ValueKind::Number(0, 1_000_000)),
    ConfigKey::new("limits.address_requests_burst", ValueKind::Number(1, 1_000_000)),
    ConfigKey::new("limits.pending_messages", ValueKind::Number(1, 10_000_000)),
    ConfigKey::new("limits.disk_free_bytes", ValueKind::Number(0, 1024 * 1024 * 1024 * 1024)),
    ConfigKey::new("limits.allowed_hosts", ValueKind::Hosts),
    ConfigKey::new("metrics.listen", ValueKind::Listen),
    ConfigKey::new("backup.directory", ValueKind::Path),
    ConfigKey::new(
        "backup.every",
        ValueKind::Duration(Duration::from_mins(1), Duration::from_hours(30 * 24)),
    ),
    ConfigKey::new("backup.keep", ValueKind::Number(1, 1000)),
    ConfigKey::new("retention.events", ValueKind::Duration(EVENTS_MIN, EVENTS_MAX)),
    ConfigKey::new("retention.message_days", DAYS),
    ConfigKey::new("retention.webhook_body_days", DAYS),
    ConfigKey::new("log.level", ValueKind::Word(&["error", "warn", "info", "debug", "trace"])),
    ConfigKey::new("log.format", ValueKind::Word(&["text", "json"])),
    ConfigKey::new("customers", ValueKind::Tables),
    ConfigKey::new("customers.id", ValueKind::Needed(&ValueKind::Id)),
    ConfigKey::new("customers.name", ValueKind::Text),
    ConfigKey::new("customers.detail", ValueKind::Text),
    ConfigKey::new("customers.webhook_method", ValueKind::Word(&["GET", "POST", "PUT", "DELETE"])),
    ConfigKey::new("customers.webhook_uri", ValueKind::Receiver),
    ConfigKey::new("customers.message_days", DAYS),
    ConfigKey::new("accounts", ValueKind::Tables),
    ConfigKey::new("accounts.id", ValueKind::Needed(&ValueKind::Id)),
    ConfigKey::new("accounts.customer", ValueKind::Needed(&ValueKind::Text)),
    ConfigKey::new("accounts.name", ValueKind::Text),
    ConfigKey::new("accounts.detail", ValueKind::Text),
    ConfigKey::new("accounts.secret", ValueKind::Needed(&ValueKind::Secret)),
    ConfigKey::new("accounts.secret_file", ValueKind::Path),
    ConfigKey::new("accounts.secret_next", ValueKind::Secret),
    ConfigKey::new("accounts.secret_next_file", ValueKind::Path),
    ConfigKey::new("accounts.token", ValueKind::Secret),
    ConfigKey::new("accounts.token_file", ValueKind::Path),
    ConfigKey::new("accounts.channel_id", ValueKind::Text),
    ConfigKey::new("accounts.delivery_mode", ValueKind::Word(&["prefer_reply", "push_only"])),
];

impl ConfigKey {
    const fn new(name: &'static str, kind: ValueKind) -> Self {
        Self { name, kind }
    }

    /// The section of the key; `None` at the top level.
    pub fn section(&self) -> Option<&'static str> {
        self.name.split_once('.').map(|(section, _)| section)
    }

    /// Whether an environment variable or a flag can set it, unlike keys of repeatable tables.
    pub fn is_single(&self) -> bool {
        let tables = find(self.section().unwrap_or(self.name)).map(|key| key.kind);
        !matches!(tables, Some(ValueKind::Tables))
    }

    /// The key of the file that can hold this secret; `None` if the key is not a secret.
    pub fn file(&self) -> Option<String> {
        let is_secret = matches!(self.kind, ValueKind::Secret | ValueKind::Needed(ValueKind::Secret));
        is_secret.then(|| format!("{}_file", self.name))
    }
}

/// The key with this name.
pub fn find(name: &str) -> Option<&'static ConfigKey> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether any key is in a section with this name.
pub fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.section() == Some(name))
}

/// The environment variable of a key: `delivery.wait` is `KAIWA_DELIVERY__WAIT`.
pub fn variable(name: &str) -> String {
    format!("KAIWA_{}", name.replace('.', "__").to_uppercase())
}

/// The name in `known` that is most similar to this misspelled one, as a whole or in its last part.
pub fn nearest(unknown: &str, known: impl IntoIterator<Item = String>) -> String {
    let similarity = |name: &str| {
        let whole = strsim::normalized_damerau_levenshtein(unknown, name);
        let last = strsim::normalized_damerau_levenshtein(last_part(unknown), last_part(name));
        // Weighted slightly lower, so that of two keys with the same last part the one in the same section wins.
        whole.max(last * 0.9)
    };
    let nearest = known.into_iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    nearest.expect("the list of keys is not empty")
}

fn last_part(name: &str) -> &str {
    let after_dot = name.rsplit_once('.').map_or(name, |(_, last)| last);
    after_dot.rsplit_once("__").map_or(after_dot, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use crate::config::Config;
    use crate::config::account::ProvisionedAccount;
    use crate::config::customer::ProvisionedCustomer;
    use crate::config::section::{
        Auth, BackupSettings, DeliverySettings, LimitSettings, LineSettings, Log, MetricsSettings, Proxies,
        RetentionSettings, Storage, Tls, WebhookSettings,
    };

    use super::*;

    /// The field names of `T`, which serde lists when it finds an unknown one.
    fn fields<T: DeserializeOwned>(section: &str) -> Vec<String> {
        let error = toml::from_str::<T>("not-a-field = 0").err().unwrap();
        let names = error.message().split('`').skip(3).step_by(2);
        names.map(|name| format!("{section}{name}")).collect()
    }

    #[test]
    fn the_list_of_keys_matches_the_structs() {
        let mut taken: Vec<String> = [
            fields::<Config>(""),
            fields::<Auth>("auth."),
            fields::<Tls>("tls."),
            fields::<Proxies>("proxies."),
            fields::<Storage>("storage."),
            fields::<LineSettings>("line."),
            fields::<DeliverySettings>("delivery."),
            fields::<WebhookSettings>("webhooks."),
            fields::<LimitSettings>("limits."),
            fields::<RetentionSettings>("retention."),
            fields::<MetricsSettings>("metrics."),
            fields::<BackupSettings>("backup."),
            fields::<Log>("log."),
            fields::<ProvisionedCustomer>("customers."),
            fields::<ProvisionedAccount>("accounts."),
        ]
        .concat();
        taken.retain(|name| !is_section(name) || find(name).is_some());
        taken.sort();

        let mut listed: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        listed.sort();

        assert_eq!(listed, taken);
    }

    #[test]
    fn every_secret_can_be_in_a_file() {
        let files: Vec<_> = KEYS.iter().filter_map(ConfigKey::file).collect();

        assert_eq!(
            files,
            [
                "auth.jwt_key_file",
                "storage.secret_key_file",
                "accounts.secret_file",
                "accounts.secret_next_file",
                "accounts.token_file"
            ]
        );
        assert!(files.iter().all(|file| find(file).is_some()));
    }

    #[test]
    fn a_misspelled_name_is_matched_to_the_most_similar_one() {
        let names = || KEYS.iter().map(|key| key.name.to_owned());

        assert_eq!(nearest("delivery.wiat", names()), "delivery.wait");
        assert_eq!(nearest("lisen", names()), "listen");
        assert_eq!(nearest("jwt_key", names()), "auth.jwt_key");
        assert_eq!(nearest("customers.webhook_url", names()), "customers.webhook_uri");
        assert_eq!(nearest("limit.connections", names()), "limits.connections");
    }
}
