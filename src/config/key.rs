//! The one list of everything that can be set, with its kind and its limits.

use std::time::Duration;

/// Something that can be set.
pub struct Key {
    /// The sections and the name, joined by dots.
    pub name: &'static str,
    /// What its values look like.
    pub kind: Kind,
}

/// What the values of a key look like.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// A value of this kind that each table must have; a secret may stand in a file instead.
    Needed(&'static Self),
    /// A UUID.
    Id,
    /// A path of a file or folder.
    Path,
    /// `host:port`.
    Listen,
    /// An http or https address.
    Receiver,
    /// An http or https address to which paths are appended.
    Base,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// A duration from the first to the second.
    Duration(Duration, Duration),
    /// Host names or addresses: a list in the file, with commas in between elsewhere.
    Hosts,
    /// Addresses or networks: a list in the file, with commas in between elsewhere.
    Networks,
    /// Nothing, or the beginning of a path without a slash at its end.
    BasePath,
    /// Tables that can be repeated: `[[name]]`, in the file only.
    Tables,
}

const SHORTEST: Duration = Duration::from_millis(1);

/// LINE forgets retry keys after 24 hours; a later attempt could be executed twice.
const GIVE_UP_AFTER_MAX: Duration = Duration::from_hours(23);

/// Longer than any client repeats a request; each key is a row.
const IDEMPOTENCY_KEEP_MAX: Duration = Duration::from_hours(30 * 24);

/// LINE takes a webhook call for failed after 2 seconds.
const WEBHOOK_TIMEOUT_MAX: Duration = Duration::from_millis(1999);

/// Events outlive the three days for which a customer's webhook is retried.
const EVENTS_MIN: Duration = Duration::from_hours(4 * 24);

/// A year. Whoever needs a longer memory has the messages themselves.
const EVENTS_MAX: Duration = Duration::from_hours(8_766);

/// A hundred years; 0 is for ever.
const DAYS: Kind = Kind::Number(0, 36_500);

/// A name that is older than this is of no use to anybody.
const PROFILE_TTL_MAX: Duration = Duration::from_hours(30 * 24);

/// Whoever uploads a file is about to send it.
const UPLOAD_TTL_MAX: Duration = Duration::from_hours(30 * 24);

/// Everything that can be set.
pub const KEYS: &[Key] = &[
    Key::new("listen", Kind::Listen),
    Key::new("public_url", Kind::Base),
    Key::new("base_path", Kind::BasePath),
    Key::new("data_directory", Kind::Path),
    Key::new("database_file", Kind::Path),
    Key::new("workers", Kind::Number(1, 64)),
    Key::new("auth.jwt_key", Kind::Secret),
    Key::new("auth.jwt_key_file", Kind::Path),
    Key::new("tls.certificate_file", Kind::Path),
    Key::new("tls.key_file", Kind::Path),
    Key::new("proxies.trusted", Kind::Networks),
    Key::new("storage.secret_key", Kind::Secret),
    Key::new("storage.secret_key_file", Kind::Path),
    Key::new("storage.checkpoint", Kind::Word(&["internal", "external"])),
    Key::new("line.api_base", Kind::Base),
    Key::new("line.data_base", Kind::Base),
    Key::new("line.timeout", Kind::Duration(SHORTEST, Duration::from_mins(1))),
    Key::new("line.connect_timeout", Kind::Duration(SHORTEST, Duration::from_mins(1))),
    Key::new("line.profile_ttl", Kind::Duration(Duration::from_mins(1), PROFILE_TTL_MAX)),
    Key::new("delivery.wait", Kind::Duration(Duration::ZERO, Duration::from_mins(1))),
    Key::new("delivery.concurrency", Kind::Number(1, 1024)),
    Key::new("delivery.backoff_first", Kind::Duration(SHORTEST, Duration::from_hours(1))),
    Key::new("delivery.backoff_max", Kind::Duration(SHORTEST, GIVE_UP_AFTER_MAX)),
    Key::new("delivery.give_up_after", Kind::Duration(SHORTEST, GIVE_UP_AFTER_MAX)),
    Key::new("webhooks.concurrency", Kind::Number(1, 1024)),
    Key::new("webhooks.timeout", Kind::Duration(SHORTEST, Duration::from_mins(1))),
    Key::new("limits.body_bytes", Kind::Number(1024, 16 * 1024 * 1024)),
    Key::new("limits.webhook_body_bytes", Kind::Number(1024, 16 * 1024 * 1024)),
    Key::new("limits.request_timeout", Kind::Duration(SHORTEST, Duration::from_mins(5))),
    Key::new("limits.webhook_timeout", Kind::Duration(SHORTEST, WEBHOOK_TIMEOUT_MAX)),
    Key::new("limits.connections", Kind::Number(1, 1_000_000)),
    Key::new("limits.write_queue", Kind::Number(1, 100_000)),
    Key::new("limits.idempotency_keep", Kind::Duration(Duration::from_hours(24), IDEMPOTENCY_KEEP_MAX)),
    Key::new("limits.shutdown_timeout", Kind::Duration(Duration::ZERO, Duration::from_mins(5))),
    Key::new("limits.stall_timeout", Kind::Duration(Duration::from_secs(1), Duration::from_mins(5))),
    Key::new("limits.feed_heartbeat", Kind::Duration(Duration::from_secs(1), Duration::from_mins(1))),
    Key::new("limits.feeds", Kind::Number(1, 1_000_000)),
    Key::new("limits.customer_feeds", Kind::Number(1, 1_000_000)),
    Key::new("limits.media_bytes", Kind::Number(1024, 4 * 1024 * 1024 * 1024)),
    Key::new("limits.media_customer_bytes", Kind::Number(1024, 1024 * 1024 * 1024 * 1024 * 1024)),
    Key::new("limits.upload_ttl", Kind::Duration(Duration::from_mins(1), UPLOAD_TTL_MAX)),
    Key::new("limits.token_requests_per_second", Kind::Number(0, 1_000_000)),
    Key::new("limits.token_requests_burst", Kind::Number(1, 1_000_000)),
    Key::new("limits.address_requests_per_second", Kind::Number(0, 1_000_000)),
    Key::new("limits.address_requests_burst", Kind::Number(1, 1_000_000)),
    Key::new("limits.pending_messages", Kind::Number(1, 10_000_000)),
    Key::new("limits.disk_free_bytes", Kind::Number(0, 1024 * 1024 * 1024 * 1024)),
    Key::new("limits.allowed_hosts", Kind::Hosts),
    Key::new("metrics.listen", Kind::Listen),
    Key::new("backup.directory", Kind::Path),
    Key::new("backup.every", Kind::Duration(Duration::from_mins(1), Duration::from_hours(30 * 24))),
    Key::new("backup.keep", Kind::Number(1, 1000)),
    Key::new("retention.events", Kind::Duration(EVENTS_MIN, EVENTS_MAX)),
    Key::new("retention.message_days", DAYS),
    Key::new("retention.webhook_body_days", DAYS),
    Key::new("log.level", Kind::Word(&["error", "warn", "info", "debug", "trace"])),
    Key::new("log.format", Kind::Word(&["text", "json"])),
    Key::new("customers", Kind::Tables),
    Key::new("customers.id", Kind::Needed(&Kind::Id)),
    Key::new("customers.name", Kind::Text),
    Key::new("customers.detail", Kind::Text),
    Key::new("customers.webhook_method", Kind::Word(&["GET", "POST", "PUT", "DELETE"])),
    Key::new("customers.webhook_uri", Kind::Receiver),
    Key::new("customers.message_days", DAYS),
    Key::new("accounts", Kind::Tables),
    Key::new("accounts.id", Kind::Needed(&Kind::Id)),
    Key::new("accounts.customer", Kind::Needed(&Kind::Text)),
    Key::new("accounts.name", Kind::Text),
    Key::new("accounts.detail", Kind::Text),
    Key::new("accounts.secret", Kind::Needed(&Kind::Secret)),
    Key::new("accounts.secret_file", Kind::Path),
    Key::new("accounts.secret_next", Kind::Secret),
    Key::new("accounts.secret_next_file", Kind::Path),
    Key::new("accounts.token", Kind::Secret),
    Key::new("accounts.token_file", Kind::Path),
    Key::new("accounts.channel_id", Kind::Text),
    Key::new("accounts.delivery_mode", Kind::Word(&["prefer_reply", "push_only"])),
];

impl Key {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind }
    }

    /// The section that it stands in; none at the top.
    pub fn section(&self) -> Option<&'static str> {
        self.name.split_once('.').map(|(section, _)| section)
    }

    /// Whether it is set by one variable or one flag, and not only in the tables of a file.
    pub fn is_single(&self) -> bool {
        let tables = find(self.section().unwrap_or(self.name)).map(|key| key.kind);
        !matches!(tables, Some(Kind::Tables))
    }

    /// The name of the file that can stand in for a secret; none for everything else.
    pub fn file(&self) -> Option<String> {
        let is_secret = matches!(self.kind, Kind::Secret | Kind::Needed(Kind::Secret));
        is_secret.then(|| format!("{}_file", self.name))
    }
}

/// The key of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether keys begin with this name and a dot.
pub fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.section() == Some(name))
}

/// The variable that sets the key of this name: `delivery.wait` is `KAIWA_DELIVERY__WAIT`.
pub fn variable(name: &str) -> String {
    format!("KAIWA_{}", name.replace('.', "__").to_uppercase())
}

/// Of `known`, the name that this misspelled one is closest to, as a whole or in its last part.
pub fn nearest(unknown: &str, known: impl IntoIterator<Item = String>) -> String {
    let alike = |name: &str| {
        let whole = strsim::normalized_damerau_levenshtein(unknown, name);
        let last = strsim::normalized_damerau_levenshtein(last_part(unknown), last_part(name));
        // A little less, so that of two keys with the same last part the one in the same section wins.
        whole.max(last * 0.9)
    };
    let nearest = known.into_iter().max_by(|one, other| alike(one).total_cmp(&alike(other)));
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
    use crate::config::account::DeclaredAccount;
    use crate::config::customer::DeclaredCustomer;
    use crate::config::section::{
        Auth, Backup, Delivery, Limits, Line, Log, Metrics, Proxies, Retention, Storage, Tls, Webhooks,
    };

    use super::*;

    /// The names of the fields of `T`, which serde lists when it meets another one.
    fn fields<T: DeserializeOwned>(section: &str) -> Vec<String> {
        let error = toml::from_str::<T>("not-a-field = 0").err().unwrap();
        let names = error.message().split('`').skip(3).step_by(2);
        names.map(|name| format!("{section}{name}")).collect()
    }

    #[test]
    fn the_list_of_keys_is_what_the_structs_take() {
        let mut taken: Vec<String> = [
            fields::<Config>(""),
            fields::<Auth>("auth."),
            fields::<Tls>("tls."),
            fields::<Proxies>("proxies."),
            fields::<Storage>("storage."),
            fields::<Line>("line."),
            fields::<Delivery>("delivery."),
            fields::<Webhooks>("webhooks."),
            fields::<Limits>("limits."),
            fields::<Retention>("retention."),
            fields::<Metrics>("metrics."),
            fields::<Backup>("backup."),
            fields::<Log>("log."),
            fields::<DeclaredCustomer>("customers."),
            fields::<DeclaredAccount>("accounts."),
        ]
        .concat();
        taken.retain(|name| !is_section(name) || find(name).is_some());
        taken.sort();

        let mut listed: Vec<_> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        listed.sort();

        assert_eq!(listed, taken);
    }

    #[test]
    fn every_secret_can_stand_in_a_file() {
        let files: Vec<_> = KEYS.iter().filter_map(Key::file).collect();

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
    fn a_misspelled_name_is_known_by_its_likeness() {
        let names = || KEYS.iter().map(|key| key.name.to_owned());

        assert_eq!(nearest("delivery.wiat", names()), "delivery.wait");
        assert_eq!(nearest("lisen", names()), "listen");
        assert_eq!(nearest("jwt_key", names()), "auth.jwt_key");
        assert_eq!(nearest("customers.webhook_url", names()), "customers.webhook_uri");
        assert_eq!(nearest("limit.connections", names()), "limits.connections");
    }
}
