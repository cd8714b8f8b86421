//! Logging to standard error: time, level, module and message; never a token, a secret or a query string.

use std::io::Write;

use env_logger::fmt::Formatter;
use env_logger::{Builder, Target};
use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Record};
use serde_json::{Map, json};

use crate::config::section::{Log, LogFormat};
use crate::model::timestamp::Timestamp;

/// Starts logging. Libraries log only warnings and errors: at finer levels some print headers.
pub fn start(settings: &Log) {
    let format = match settings.format {
        LogFormat::Text => text,
        LogFormat::Json => json,
    };
    Builder::new()
        .target(Target::Stderr)
        .filter_level(LevelFilter::Warn.min(settings.level.as_filter()))
        .filter_module("kaiwa", settings.level.as_filter())
        .format(format)
        .init();
}

fn text(formatter: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let style = formatter.default_level_style(record.level());
    let (now, level, target) = (Timestamp::now(), record.level(), record.target());
    writeln!(formatter, "{now} {style}{level:5}{style:#} {target}: {}", one_line(record))
}

fn json(formatter: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let mut fields = LogFields(Map::new());
    record.key_values().visit(&mut fields).map_err(std::io::Error::other)?;
    let LogFields(mut line) = fields;
    line.insert("time".to_owned(), Timestamp::now().to_string().into());
    line.insert("level".to_owned(), record.level().as_str().into());
    line.insert("target".to_owned(), record.target().into());
    line.insert("message".to_owned(), record.args().to_string().into());
    writeln!(formatter, "{}", json!(line))
}

/// The structured fields of a log record.
struct LogFields(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for LogFields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let value = value.to_u64().map_or_else(|| value.to_string().into(), serde_json::Value::from);
        self.0.insert(key.to_string(), value);
        Ok(())
    }
}

/// Replaces control characters: a path or a response of LINE may contain line breaks, a log line may not.
fn one_line(record: &Record<'_>) -> String {
    record
        .args()
        .to_string()
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect()
}
