//! The metrics page for a monitoring system, in the `OpenMetrics` 1.0 format.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Metric, Registry};

use crate::error::{Error, Result};
use crate::metrics::{Counter, Metrics};

/// The content type of the page; scrapers require it.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The prefix of every metric name.
const PREFIX: &str = "kaiwa";

/// A page under construction.
pub struct MetricsPage {
    registry: Registry,
}

/// The page shows the counter's current value.
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
    /// A page with all counted metrics.
    pub fn new(metrics: &Metrics) -> Self {
        let mut page = Self { registry: Registry::with_prefix(PREFIX) };
        let Metrics {
            requests,
            request_seconds,
            webhook_lag_seconds,
            commits,
            deliveries,
            fetches,
            webhook_deliveries,
            backups,
        } = metrics;
        page.add("http_requests", "Requests that received a response", requests);
        page.add("http_request_duration_seconds", "Time until the response started", request_seconds);
        page.add("webhook_lag_seconds", "Time from a new event at LINE to its arrival", webhook_lag_seconds);
        page.add("write_queue_operations", "Operations waiting for the writer", &commits.waiting);
        page.add("commit_operations", "Operations in one commit", &commits.operations);
        page.add("commit_duration_seconds", "Time of a commit, including the sync to disk", &commits.seconds);
        page.add("deliveries", "Attempts to send to LINE, by call and outcome", &deliveries.0);
        page.add("media_fetches", "Attempts to fetch a file, by outcome", &fetches.0);
        page.add(
            "webhook_deliveries",
            "Attempts to deliver to customers' webhooks, by outcome",
            &webhook_deliveries.0,
        );
        page.add("backups", "Automatic backups, by outcome", &backups.made);
        page.add("backup_last_seconds", "Unix time of the newest backup, 0 for none", &backups.last);
        page.add("backup_bytes", "Size of the last backup", &backups.bytes);
        page.add("backup_duration_seconds", "Duration of the last backup", &backups.seconds);
        page
    }

    /// Adds a metric.
    pub fn add(&mut self, name: &str, help: &str, metric: &(impl Metric + Clone)) {
        self.registry.register(name, help, metric.clone());
    }

    /// Adds a gauge.
    pub fn number(&mut self, name: &str, help: &str, value: impl TryInto<i64>) {
        self.add(name, help, &gauge(value));
    }

    /// Adds gauges that are distinguished by one label.
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

    /// Adds version information.
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
