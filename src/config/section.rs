//! The sections of the configuration, with their defaults.

use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use serde::Deserialize;
use url::Url;

use crate::config::values::{duration, network, web_address};
use crate::model::network::Network;
use crate::model::secret::Secret;

/// `[auth]`: how callers are authenticated.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The key of the callers' tokens (HS256); read it with `Config::require_jwt_key`. Default none.
    pub jwt_key: Option<Secret>,
    /// The file that `jwt_key` was read from. Default none.
    pub jwt_key_file: Option<PathBuf>,
}

/// `[tls]`: the server's own certificate.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, in PEM. Default none: plain HTTP.
    pub certificate_file: Option<PathBuf>,
    /// The private key of the certificate, in PEM. Must be set together with it.
    pub key_file: Option<PathBuf>,
}

/// `[proxies]`: the proxies in front of the server.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proxies {
    /// The proxies whose `X-Forwarded-For` is trusted. Default none.
    #[serde(deserialize_with = "network::deserialize")]
    pub trusted: Vec<Network>,
}

/// `[storage]`: how the database is stored and protected.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The keys that seal secrets in the database; read them with `Config::key_source`. Default none.
    pub secret_key: Option<Secret>,
    /// The file that `secret_key` was read from. Default none.
    pub secret_key_file: Option<PathBuf>,
    /// Who checkpoints the write-ahead log. Default `internal`.
    pub checkpoint: Checkpoint,
}

/// `[line]`: how LINE is reached.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LineSettings {
    /// The base URL of the Messaging API. Default `https://api.line.me`.
    #[serde(deserialize_with = "web_address::deserialize")]
    pub api_base: Url,
    /// The base URL of message content. Default `https://api-data.line.me`.
    #[serde(deserialize_with = "web_address::deserialize")]
    pub data_base: Url,
    /// The timeout of a request to LINE. Default 10 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
    /// The timeout of connecting to LINE. Default 3 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub connect_timeout: Duration,
    /// How old names and profile pictures may be when there is activity in their chat. Default 24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub profile_ttl: Duration,
}

/// `[delivery]`: how messages are sent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// How long the sender of a message waits for LINE's first response. Default 10 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub wait: Duration,
    /// Concurrent requests to LINE. Default 256.
    pub concurrency: usize,
    /// The delay after the first failure; it doubles with each further one. Default 1 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub backoff_first: Duration,
    /// The maximum delay between two attempts, not less than the first. Default 10 min.
    #[serde(deserialize_with = "duration::deserialize")]
    pub backoff_max: Duration,
    /// How long after the first attempt retries stop. Default 23 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub give_up_after: Duration,
}

/// `[limits]`: limits on requests and resources.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// The largest body of a JSON request, in bytes. Default 262,144.
    pub body_bytes: usize,
    /// The largest body of a webhook request, in bytes. Default 1,048,576.
    pub webhook_body_bytes: usize,
    /// The time within which head and body of a request must arrive. Default 10 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub request_timeout: Duration,
    /// The time limit for responding to a webhook of LINE. Default 1.5 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub webhook_timeout: Duration,
    /// The most open connections. Default 10,000.
    pub connections: usize,
    /// The most operations that wait for the database writer. Default 4,096.
    pub write_queue: usize,
    /// How long idempotency keys are retained. Default 24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub idempotency_keep: Duration,
    /// How long a shutdown waits for requests in flight. Default 10 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub shutdown_timeout: Duration,
    /// How long a client may read nothing of a response. Default 15 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub stall_timeout: Duration,
    /// The interval of heartbeats on an idle live feed, so that no intermediary considers it dead. Default 15
    /// s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub feed_heartbeat: Duration,
    /// The most open live feeds. Default 8,000.
    pub feeds: usize,
    /// The most open live feeds of one customer. Default 1,000.
    pub customer_feeds: usize,
    /// The largest file that is fetched from LINE, in bytes. Default 300 MiB.
    pub media_bytes: u64,
    /// The most bytes in all files of one customer. Default 10 GiB.
    pub media_customer_bytes: u64,
    /// How long an unsent upload is retained. Default 24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub upload_ttl: Duration,
    /// Requests per second of one token; 0 means no limit. Default 0.
    pub token_requests_per_second: u32,
    /// The burst of requests of one token. Default 1,000.
    pub token_requests_burst: u32,
    /// Requests per second from one address; 0 means no limit. Default 100.
    pub address_requests_per_second: u32,
    /// The burst of requests from one address. Default 1,000.
    pub address_requests_burst: u32,
    /// The most messages of one customer that wait to be sent. Default 10,000.
    pub pending_messages: u64,
    /// The free disk space below which messages and uploads are rejected, in bytes; 0 disables this. Default
    /// 200 MiB.
    pub disk_free_bytes: u64,
    /// Hosts that may be called although they are in a private network. Default none.
    pub allowed_hosts: Vec<String>,
}

/// `[webhooks]`: how customers' webhooks are called.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// Concurrent calls. Default 64.
    pub concurrency: usize,
    /// The timeout of a call. Default 15 s.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
}

/// `[metrics]`: metrics for a monitoring system.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSettings {
    /// The address on which they are served: `host:port`. Default none.
    pub listen: Option<String>,
}

/// Who checkpoints the write-ahead log into the database file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkpoint {
    /// The server.
    #[default]
    Internal,
    /// Another process, which replicates the log.
    External,
}

/// `[backup]`: automatic backups.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupSettings {
    /// The directory of backups. Default none: no backups are made.
    pub directory: Option<PathBuf>,
    /// The interval between backups. Default 24 h.
    #[serde(deserialize_with = "duration::deserialize")]
    pub every: Duration,
    /// How many backups are retained; older ones are deleted. Default 7.
    pub keep: usize,
}

/// `[retention]`: how long data is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// Events, from which a client of the live feed can resume. Default 7 days.
    #[serde(deserialize_with = "duration::deserialize")]
    pub events: Duration,
    /// Days for which messages and their files are retained, unless the customer has its own period; 0 means
    /// forever. Default 0.
    pub message_days: u32,
    /// Days for which webhook events are retained as LINE sent them; 0 means forever. Default 0.
    pub webhook_body_days: u32,
}

/// `[log]`: what is written to standard error.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least severe level that is logged. Default `info`.
    pub level: LogLevel,
    /// The format of log lines. Default `text`.
    pub format: LogFormat,
}

/// The severity of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Needs attention.
    Error,
    /// Needs attention if it persists.
    Warn,
    /// The main activities of the server.
    #[default]
    Info,
    /// Each step.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// This level as a filter of the `log` crate.
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

/// The format of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for LineSettings {
    fn default() -> Self {
        let constant = |text| Url::parse(text).expect("LINE's base URL is valid");
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
