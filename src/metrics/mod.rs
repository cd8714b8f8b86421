//! Counters and timings for an operator's monitoring. Labels are few and our own, such as routes and outcomes;
//! none can be chosen by a caller or a LINE user.

pub mod page;

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter as Total;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use serde::{Serialize, Serializer};

/// Histogram buckets of most durations, in seconds: from a commit on a fast disk to the longest wait of a
/// caller.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Buckets of the webhook lag, in seconds: LINE redelivers failed webhooks for hours.
const LAG_SECONDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3_600.0, 86_400.0];

/// Buckets of the operations per commit; the last is the maximum.
const OPERATIONS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Label names with their values.
type Labels<const COUNT: usize> = [(&'static str, Cow<'static, str>); COUNT];

type Times<const COUNT: usize> = Family<Labels<COUNT>, Histogram, fn() -> Histogram>;

/// A counter.
#[derive(Debug, Clone, Default)]
pub struct Counter(Total);

/// All metrics that are counted as things happen. Clones share the same counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: Family<Labels<3>, Total>,
    request_seconds: Times<1>,
    webhook_lag_seconds: Histogram,
    commits: Commits,
    deliveries: Deliveries,
    fetches: Fetches,
    webhook_deliveries: WebhookDeliveries,
    backups: Backups,
}

/// Metrics of the database writer.
#[derive(Debug, Clone)]
pub struct Commits {
    waiting: Gauge,
    operations: Histogram,
    seconds: Histogram,
}

/// Outcomes of attempts to send to LINE.
#[derive(Debug, Clone, Default)]
pub struct Deliveries(Family<Labels<2>, Total>);

/// Outcomes of attempts to deliver to customers' webhooks.
#[derive(Debug, Clone, Default)]
pub struct WebhookDeliveries(Family<Labels<1>, Total>);

/// Outcomes of automatic backups.
#[derive(Debug, Clone, Default)]
pub struct Backups {
    made: Family<Labels<1>, Total>,
    last: Gauge,
    bytes: Gauge,
    seconds: Gauge<f64, AtomicU64>,
}

/// Outcomes of attempts to fetch a file.
#[derive(Debug, Clone, Default)]
pub struct Fetches(Family<Labels<1>, Total>);

impl Counter {
    /// Adds to the count.
    pub fn add(&self, count: usize) {
        self.0.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

impl Serialize for Counter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0.get())
    }
}

impl Metrics {
    /// Metrics without counts except those of `commits`.
    pub fn new(commits: Commits) -> Self {
        Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            webhook_lag_seconds: Histogram::new(LAG_SECONDS),
            commits,
            deliveries: Deliveries::default(),
            fetches: Fetches::default(),
            webhook_deliveries: WebhookDeliveries::default(),
            backups: Backups::default(),
        }
    }

    /// Counts a request that received its response. `route` is the pattern of its path, not the path.
    pub fn request(&self, method: &str, route: Option<String>, status: u16, took: Duration) {
        let route = route.map_or(Cow::Borrowed("none"), Cow::Owned);
        let labels =
            [("method", known(method).into()), ("route", route.clone()), ("status", class(status).into())];
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.get_or_create(&[("route", route)]).observe(took.as_secs_f64());
    }

    /// Records how long after its occurrence at LINE a new event arrived.
    pub fn webhook_lag(&self, lag: Duration) {
        self.webhook_lag_seconds.observe(lag.as_secs_f64());
    }

    /// The counters of attempts to send to LINE.
    pub fn deliveries(&self) -> Deliveries {
        self.deliveries.clone()
    }

    /// The counters of webhook deliveries to customers.
    pub fn webhook_deliveries(&self) -> WebhookDeliveries {
        self.webhook_deliveries.clone()
    }

    /// The backup metrics.
    pub fn backups(&self) -> Backups {
        self.backups.clone()
    }

    /// The counters of fetched files.
    pub fn fetches(&self) -> Fetches {
        self.fetches.clone()
    }
}

impl Default for Commits {
    fn default() -> Self {
        Self {
            waiting: Gauge::default(),
            operations: Histogram::new(OPERATIONS),
            seconds: Histogram::new(SECONDS),
        }
    }
}

impl Commits {
    /// An operation was queued for the writer.
    pub fn queued(&self) {
        self.waiting.inc();
    }

    /// An operation left the queue.
    pub fn taken(&self) {
        self.waiting.dec();
    }

    /// Records a commit of this many operations, which took the disk `took`.
    pub fn committed(&self, operations: usize, took: Duration) {
        self.operations.observe(f64::from(u32::try_from(operations).unwrap_or(u32::MAX)));
        self.seconds.observe(took.as_secs_f64());
    }
}

impl Deliveries {
    /// Counts an attempt by this call (`reply` or `push`) with this outcome.
    pub fn add(&self, call: &'static str, outcome: &'static str) {
        self.0.get_or_create(&[("call", call.into()), ("outcome", outcome.into())]).inc();
    }
}

impl WebhookDeliveries {
    /// An attempt came to this outcome.
    pub fn add(&self, outcome: &'static str) {
        self.0.get_or_create(&[("outcome", outcome.into())]).inc();
    }
}

impl Backups {
    /// Sets the time of the newest backup (Unix seconds).
    pub fn found(&self, at_seconds: i64) {
        self.last.set(at_seconds);
    }

    /// Records a backup of `bytes` bytes, which took `took`.
    pub fn made(&self, at_seconds: i64, bytes: u64, took: Duration) {
        self.made.get_or_create(&[("outcome", "made".into())]).inc();
        self.found(at_seconds);
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.seconds.set(took.as_secs_f64());
    }

    /// Counts a failed backup.
    pub fn failed(&self) {
        self.made.get_or_create(&[("outcome", "failed".into())]).inc();
    }
}

impl Fetches {
    /// An attempt came to this outcome.
    pub fn add(&self, outcome: &'static str) {
        self.0.get_or_create(&[("outcome", outcome.into())]).inc();
    }
}

/// The method if it is a standard one; a caller could otherwise create any number of labels.
fn known(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

fn class(status: u16) -> &'static str {
    ["other", "1xx", "2xx", "3xx", "4xx", "5xx"].get(usize::from(status / 100)).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_chosen_by_callers_never_become_labels() {
        assert_eq!(known("PUT"), "PUT");
        assert_eq!(known("PUT-7f3a"), "other");
        assert_eq!([class(200), class(404), class(599), class(999)], ["2xx", "4xx", "5xx", "other"]);
    }
}
