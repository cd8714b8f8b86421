//! The page that a monitoring system reads, in the format of `OpenMetrics` 1.0.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Metric, Registry};

use crate::error::{Error, Result};
use crate::metrics::{Counter, Metrics};

/// The type of the page. A scraper takes no page without it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What every name begins with.
const PREFIX: &str = "kaiwa";

/// A page that is being written.
pub struct MetricsPage {
    registry: Registry,
}

/// A counter of which the page shows what it has counted so far.
impl EncodeMetric for Counter {
    fn encode(&self, encoder: MetricEncoder<'_>) -> std::fmt::Result {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.0.metric_type()
    }
}

impl TypedMetric for Counter {
    const TYPE: MetricType = MetricType::Counter;
}

impl MetricsPage {
    /// A page with everything that was counted.
    pub fn new(metrics: &Metrics) -> Self {
        let mut page = Self { registry: Registry::with_prefix(PREFIX) };
        let Metrics {
            requests,
            request_seconds,
            webhook_lag_seconds,
            commits,
            deliveries,
            fetches,
            told,
            backups,
        } = metrics;
        page.add("http_requests", "Answered requests", requests);
        page.add("http_request_duration_seconds", "Time until the answer began", request_seconds);
        page.add(
            "webhook_lag_seconds",
            "Time from an event at LINE to its arrival, of new events",
            webhook_lag_seconds,
        );
        page.add("write_queue_operations", "Operations that wait for the writer", &commits.waiting);
        page.add("commit_operations", "Operations in one commit", &commits.operations);
        page.add("commit_duration_seconds", "Time of a commit, with the disk's sync", &commits.seconds);
        page.add("deliveries", "Attempts to deliver, by call and outcome", &deliveries.0);
        page.add("media_fetches", "Attempts to fetch a file, by outcome", &fetches.0);
        page.add("webhook_deliveries", "Attempts to tell customers, by outcome", &told.0);
        page.add("backups", "Backups that were to be made by themselves, by outcome", &backups.made);
        page.add("backup_last_seconds", "Unix time of the newest backup, 0 for none", &backups.last);
        page.add("backup_bytes", "Size of the last backup that was made", &backups.bytes);
        page.add("backup_duration_seconds", "Time that it took", &backups.seconds);
        page
    }

    /// Adds something that was counted or timed.
    pub fn add(&mut self, name: &str, help: &str, metric: &(impl Metric + Clone)) {
        self.registry.register(name, help, metric.clone());
    }

    /// Adds a number as it is now.
    pub fn number(&mut self, name: &str, help: &str, value: impl TryInto<i64>) {
        self.add(name, help, &gauge(value));
    }

    /// Adds numbers as they are now, told apart by one label.
    pub fn numbers<V: TryInto<i64>>(
        &mut self,
        (name, help): (&str, &str),
        label: &'static str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        let family = Family::<[(&'static str, String); 1], Gauge>::default();
        for (of, value) in values {
            family.get_or_create(&[(label, of)]).set(value.try_into().unwrap_or(i64::MAX));
        }
        self.add(name, help, &family);
    }

    /// Adds what is known of the program itself.
    pub fn versions(&mut self, versions: [(&'static str, String); 3]) {
        self.registry.register("build", "Versions of the program", Info::new(versions));
    }

    /// The page as text.
    pub fn text(self) -> Result<String> {
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(Error::internal)?;
        Ok(text)
    }
}

fn gauge(value: impl TryInto<i64>) -> Gauge {
    let gauge = Gauge::<i64>::default();
    gauge.set(value.try_into().unwrap_or(i64::MAX));
    gauge
}
