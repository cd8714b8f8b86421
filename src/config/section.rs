//! The sections of the configuration, with their built-in values.

use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use serde::Deserialize;
use url::Url;

use crate::config::values::{duration, network, web_address};
use crate::model::network::Network;
use crate::model::secret::Secret;

/// `[auth]`: how callers are recognized.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The key of the callers' tokens (HS256); ask for it with `Config::require_jwt_key`. Default none.
    pub jwt_key: Option<Secret>,
    /// The file that `jwt_key` was read from. Default none.
    pub jwt_key_file: Option<PathBuf>,
}

/// `[tls]`: the certificate that the server shows itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate and those that lead to its authority, in PEM. Default none: plain HTTP.
    pub certificate_file: Option<PathBuf>,
    /// The key of the certificate, in PEM. Set together with it.
    pub key_file: Option<PathBuf>,
}

/// `[proxies]`: who stands in front of the server.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proxies {
    /// The proxies that are believed when they say whom they have a request from. Default none.
    #[serde(deserialize_with = "network::deserialize")]
    pub trusted: Vec<Network>,
}

/// `[storage]`: how the database is kept and protected.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The keys that secrets in the database are sealed with; ask for them with `Config::key_source`. Default none.
    pub secret_key: Option<Secret>,
    /// The file that `secret_key` was read from. Default none.
    pub secret_key_file: Option<PathBuf>,
    /// Who copies the log into the database. Default `internal`.
    pub checkpoint: Checkpoint,
}

/// `[line]`: how LINE is reached.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LineSettings {
    /// Where the Messaging API is. Default `https://api.line.me`.
    #[serde(deserialize_with = "web_address::deserialize")]
    pub api_base: Url,
    /// Where the content of messages is. Default `https://api-data.line.me`.
    #[serde(deserialize_with = "web_address::deserialize")]
    pub data_base: Url,
    /// The longest that one request to LINE may take. Default 10 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
    /// The longest that connecting to LINE may take. Default 3 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub connect_timeout: Duration,
    /// How old names and pictures may be when something happens in their chat. Default 24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub profile_ttl: Duration,
}

/// `[delivery]`: how messages leave.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// How long the sender of a message waits for LINE's first answer. Default 10 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub wait: Duration,
    /// Requests to LINE at once. Default 256.
    pub concurrency: usize,
    /// The pause after the first failure; it doubles with each further one. Default 1 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub backoff_first: Duration,
    /// The longest pause between two attempts, never less than the first. Default 10 min.
    #[serde(deserialize_with = "duration::deserialize")]
    pub backoff_max: Duration,
    /// How long after the first attempt no further one is made. Default 23 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub give_up_after: Duration,
}

/// `[limits]`: what one caller may take.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// The largest body of a JSON call, in bytes. Default 262,144.
    pub body_bytes: usize,
    /// The largest body of a webhook call, in bytes. Default 1,048,576.
    pub webhook_body_bytes: usize,
    /// The time in which head and body of a request must arrive. Default 10 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub request_timeout: Duration,
    /// The time after which a webhook call is answered, whatever happened. Default 1.5 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub webhook_timeout: Duration,
    /// Open connections. Default 10,000.
    pub connections: usize,
    /// Operations that may wait for the database's writer. Default 4,096.
    pub write_queue: usize,
    /// How long idempotency keys are kept. Default 24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub idempotency_keep: Duration,
    /// How long a stopping server waits for what is under way. Default 10 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub shutdown_timeout: Duration,
    /// How long a client may take nothing of what it is sent. Default 15 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub stall_timeout: Duration,
    /// How often a live feed on which nothing happens gives a sign of life, so that nobody in between takes it for dead.
    /// Default 15 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub feed_heartbeat: Duration,
    /// Open live feeds. Default 8,000.
    pub feeds: usize,
    /// Open live feeds of one customer. Default 1,000.
    pub customer_feeds: usize,
    /// The largest file that is fetched, in bytes. Default 300 MiB.
    pub media_bytes: u64,
    /// The bytes that one customer's files may have together. Default 10 GiB.
    pub media_customer_bytes: u64,
    /// How long an upload waits to be sent. Default 24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub upload_ttl: Duration,
    /// The requests of one token in a second; 0: no limit. Default 0.
    pub token_requests_per_second: u32,
    /// The requests of one token that may come at once after a pause. Default 1,000.
    pub token_requests_burst: u32,
    /// The requests from one address in a second; 0: no limit. Default 100.
    pub address_requests_per_second: u32,
    /// The requests from one address that may come at once after a pause. Default 1,000.
    pub address_requests_burst: u32,
    /// The messages of one customer that may wait to be sent. Default 10,000.
    pub pending_messages: u64,
    /// The room on the disk below which nothing is taken to be sent, in bytes; 0: none. Default 200 MiB.
    pub disk_free_bytes: u64,
    /// Hosts that may be spoken to although they are in our own network. Default none.
    pub allowed_hosts: Vec<String>,
}

/// `[webhooks]`: how customers are told of events.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// Calls at once. Default 64.
    pub concurrency: usize,
    /// The longest that one call may take. Default 15 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
}

/// `[metrics]`: the numbers for a monitoring system.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSettings {
    /// Where they are served: `host:port`. Default nowhere.
    pub listen: Option<String>,
}

/// Who copies the log of the database into the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkpoint {
    /// The server.
    #[default]
    Internal,
    /// Another process, which replicates the log.
    External,
}

/// `[backup]`: backups that are made by themselves.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupSettings {
    /// Where they are kept. Default none: then none are made.
    pub directory: Option<PathBuf>,
    /// How long after the last one the next is made. Default 24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub every: Duration,
    /// How many are kept; the oldest go. Default 7.
    pub keep: usize,
}

/// `[retention]`: how long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// Events, which a reader of the live feed can take up again. Default 7 days.
    #[serde(deserialize_with = "duration::deserialize")]
    pub events: Duration,
    /// Days for which messages and their files are kept, unless their customer has a time of its own; 0 is for ever.
    /// Default 0.
    pub message_days: u32,
    /// Days for which webhook events are kept as LINE wrote them; 0 is for ever. Default 0.
    pub webhook_body_days: u32,
}

/// `[log]`: what is written to standard error.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least important lines that are written. Default `info`.
    pub level: LogLevel,
    /// The shape of a line. Default `text`.
    pub format: LogFormat,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Somebody has to look.
    Error,
    /// Somebody should look when it goes on.
    Warn,
    /// What the server does, in few lines.
    #[default]
    Info,
    /// Each step.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// This level in the words of the `log` crate.
    pub const fn as_filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::Error,
            Self::Warn => LevelFilter::Warn,
            Self::Info => LevelFilter::Info,
            Self::Debug => LevelFilter::Debug,
            Self::Trace => LevelFilter::Trace,
        }
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LineSettings {
    fn default() -> Self {
        let constant = |text| Url::parse(text).expect("LINE's own address is an address");
        Self {
            api_base: constant("https://api.line.me"),
            data_base: constant("https://api-data.line.me"),
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            profile_ttl: Duration::from_hours(24),
        }
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(10),
            concurrency: 256,
            backoff_first: Duration::from_secs(1),
            backoff_max: Duration::from_mins(10),
            give_up_after: Duration::from_hours(23),
        }
    }
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self { concurrency: 64, timeout: Duration::from_secs(15) }
    }
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self { events: Duration::from_hours(7 * 24), message_days: 0, webhook_body_days: 0 }
    }
}

impl Default for BackupSettings {
    fn default() -> Self {
        Self { directory: None, every: Duration::from_hours(24), keep: 7 }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            body_bytes: 256 * 1024,
            webhook_body_bytes: 1024 * 1024,
            request_timeout: Duration::from_secs(10),
            webhook_timeout: Duration::from_millis(1500),
            connections: 10_000,
            write_queue: 4096,
            idempotency_keep: Duration::from_hours(24),
            shutdown_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(15),
            feed_heartbeat: Duration::from_secs(15),
            feeds: 8_000,
            customer_feeds: 1_000,
            media_bytes: 300 * 1024 * 1024,
            media_customer_bytes: 10 * 1024 * 1024 * 1024,
            upload_ttl: Duration::from_hours(24),
            token_requests_per_second: 0,
            token_requests_burst: 1000,
            address_requests_per_second: 100,
            address_requests_burst: 1000,
            pending_messages: 10_000,
            disk_free_bytes: 200 * 1024 * 1024,
            allowed_hosts: Vec::new(),
        }
    }
}
