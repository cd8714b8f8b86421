//! The program's settings: defaults, overridden by a file, the environment and flags, in this order.

pub mod account;
pub mod customer;
#[cfg(test)]
mod example;
mod file;
mod key;
pub mod key_source;
mod overlay;
mod secret_file;
pub mod section;
pub mod seeded;
mod service_link;
pub mod supervisor;
mod value;
pub mod values;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Table;
use url::Url;

use crate::config::account::ProvisionedAccount;
use crate::config::customer::ProvisionedCustomer;
use crate::config::key_source::KeySource;
use crate::config::section::{
    Auth, BackupSettings, DeliverySettings, LimitSettings, LineSettings, Log, MetricsSettings, Proxies,
    RetentionSettings, Storage, Tls, WebhookSettings,
};
use crate::error::{Error, Result};
use crate::model::secret::Secret;

/// All settings. [`load`] returns only valid values.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on: `host:port`; port 0 picks a free one. Default `127.0.0.1:8080`.
    pub listen: String,
    /// The URL under which LINE reaches this server, with neither query nor fragment. Default none.
    #[serde(deserialize_with = "values::web_address::deserialize_some")]
    pub public_url: Option<Url>,
    /// The base path of all routes, without a slash at the end. Default none.
    pub base_path: String,
    /// The directory of all data. Default `kaiwa-data`.
    pub data_directory: PathBuf,
    /// The database file, relative to the data directory. Default `kaiwa.db`.
    pub database_file: PathBuf,
    /// HTTP threads. Default 2.
    pub workers: usize,
    /// How callers are authenticated.
    pub auth: Auth,
    /// The server's own certificate.
    pub tls: Tls,
    /// The proxies in front of the server.
    pub proxies: Proxies,
    /// How the database is stored and protected.
    pub storage: Storage,
    /// How LINE is reached.
    pub line: LineSettings,
    /// How messages are sent.
    pub delivery: DeliverySettings,
    /// How customers' webhooks are called.
    pub webhooks: WebhookSettings,
    /// Limits on requests and resources.
    pub limits: LimitSettings,
    /// How long data is retained.
    pub retention: RetentionSettings,
    /// Where metrics are served.
    pub metrics: MetricsSettings,
    /// Automatic backups.
    pub backup: BackupSettings,
    /// What is written to standard error.
    pub log: Log,
    /// The customers that are created or updated at start. Default none.
    pub customers: Vec<ProvisionedCustomer>,
    /// The LINE accounts that are created or updated at start. Default none.
    pub accounts: Vec<ProvisionedAccount>,
}

impl Config {
    /// The minimum length of the key that signs tokens: that of an HMAC-SHA256.
    pub const JWT_KEY_BYTES_MIN: usize = 32;

    /// The file in the data directory that holds the sealing keys when none are configured.
    const SECRET_KEY_FILE: &str = "secret.key";

    /// The files that contain only a secret.
    pub fn secret_files(&self) -> Vec<&Path> {
        secret_file::all(self)
    }

    /// The path of the database.
    pub fn database_path(&self) -> PathBuf {
        self.data_directory.join(&self.database_file)
    }

    /// The scheme of the server: `https` with its own certificate, otherwise `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.certificate_file.is_some() { "https" } else { "http" }
    }

    /// The source of the sealing keys: a file in the data directory unless a key is configured.
    pub fn key_source(&self) -> KeySource {
        match &self.storage.secret_key {
            Some(keys) => KeySource::Given(keys.clone()),
            None => KeySource::File(self.data_directory.join(Self::SECRET_KEY_FILE)),
        }
    }

    /// The key that signs tokens, for the commands that need it.
    ///
    /// [`Error::Unusable`] when it is missing or shorter than [`Self::JWT_KEY_BYTES_MIN`].
    pub fn require_jwt_key(&self) -> Result<&Secret> {
        let fault = match &self.auth.jwt_key {
            Some(key) if key.expose().len() >= Self::JWT_KEY_BYTES_MIN => return Ok(key),
            Some(key) => format!("is too short: its length is {}", key.expose().len()),
            None => "is missing".to_owned(),
        };
        Err(Error::Unusable(format!(
            "auth.jwt_key {fault}, and a key of at least {} bytes (characters) is needed. Make one with \
             `openssl rand -hex 32` and set jwt_key in section [auth] of the configuration file, {}, or {}",
            Self::JWT_KEY_BYTES_MIN,
            key::variable("auth.jwt_key"),
            key::variable("auth.jwt_key_file"),
        )))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: None,
            base_path: String::new(),
            data_directory: "kaiwa-data".into(),
            database_file: "kaiwa.db".into(),
            workers: 2,
            auth: Auth::default(),
            tls: Tls::default(),
            proxies: Proxies::default(),
            storage: Storage::default(),
            line: LineSettings::default(),
            delivery: DeliverySettings::default(),
            webhooks: WebhookSettings::default(),
            limits: LimitSettings::default(),
            retention: RetentionSettings::default(),
            metrics: MetricsSettings::default(),
            backup: BackupSettings::default(),
            log: Log::default(),
            customers: Vec::new(),
            accounts: Vec::new(),
        }
    }
}

/// Calls [`load`] with the environment of this process.
pub fn load_with_process_environment(file: Option<&Path>, flags: &[(&str, &str)]) -> Result<Config> {
    load(file, overlay::process_environment()?, flags)
}

/// Loads the settings. `flags` (dotted key, value) take precedence over `environment`, that over `file`, and
/// that over the defaults.
///
/// Only environment variables that start with `KAIWA_` are considered. Unknown keys, invalid values and
/// unreadable secret files are [`Error::Unusable`]. Paths are relative to the working directory.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&str, &str)],
) -> Result<Config> {
    let mut table = file.map_or_else(|| Ok(Table::new()), file::read)?;
    overlay::apply(&mut table, &overlay::variables(environment)?)?;
    overlay::apply(&mut table, &overlay::flags(flags)?)?;
    // Every value was checked at its source, so that an error could name its position.
    let mut config: Config = table
        .try_into()
        .map_err(|error| Error::Unusable(format!("the configuration cannot be used: {}", error.message())))?;
    secret_file::read_all(&mut config)?;
    check_together(&config)?;
    Ok(config)
}

/// Checks the rules that involve several settings.
fn check_together(config: &Config) -> Result<()> {
    let DeliverySettings { backoff_first, backoff_max, .. } = config.delivery;
    if backoff_first > backoff_max {
        return Err(Error::Unusable(format!(
            "delivery.backoff_first ({}) must not be more than delivery.backoff_max ({})",
            humantime::format_duration(backoff_first),
            humantime::format_duration(backoff_max),
        )));
    }
    if config.tls.certificate_file.is_some() != config.tls.key_file.is_some() {
        let message = "tls.certificate_file and tls.key_file must be set together or not at all";
        return Err(Error::Unusable(message.to_owned()));
    }
    let names =
        config.customers.iter().filter_map(|customer| customer.name.clone()).filter(|name| !name.is_empty());
    check_distinct("customers.id", config.customers.iter().map(|customer| customer.id.to_string()))?;
    check_distinct("customers.name", names)?;
    check_distinct("accounts.id", config.accounts.iter().map(|account| account.id.to_string()))
}

fn check_distinct(key: &str, values: impl Iterator<Item = String>) -> Result<()> {
    let mut seen = HashSet::new();
    for value in values {
        if seen.contains(&value) {
            return Err(Error::Unusable(format!("{key} {value:?} is declared twice")));
        }
        seen.insert(value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn load_text(text: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, text).unwrap();
        load(Some(&path), environment(variables), flags)
    }

    #[track_caller]
    fn check_refused(text: &str, variables: &[(&str, &str)], flags: &[(&str, &str)], expected: &str) {
        let error = load_text(text, variables, flags).unwrap_err();

        assert!(matches!(error, Error::Unusable(_)));
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn without_any_setting_the_defaults_apply() {
        assert_eq!(load(None, [], &[]).unwrap(), Config::default());
    }

    #[test]
    fn a_flag_overrides_the_environment_which_overrides_the_file() {
        let file = "workers = 3\n[delivery]\nwait = \"1s\"\nconcurrency = 7\nbackoff_first = \"9s\"\n";
        let variables = [("KAIWA_WORKERS", "4"), ("KAIWA_DELIVERY__WAIT", "2s"), ("PATH", "/bin")];

        let config = load_text(file, &variables, &[("delivery.wait", "3s")]).unwrap();

        assert_eq!(config.workers, 4);
        assert_eq!(config.delivery.wait, Duration::from_secs(3));
        assert_eq!(config.delivery.concurrency, 7);
        assert_eq!(config.delivery.backoff_first, Duration::from_secs(9));
        assert_eq!(config.limits, LimitSettings::default());
    }

    #[test]
    fn an_unknown_variable_or_flag_is_rejected_with_the_nearest_known_one() {
        check_refused(
            "",
            &[("KAIWA_DELIVERY__WIAT", "5s")],
            &[],
            "unknown variable KAIWA_DELIVERY__WIAT; did you mean KAIWA_DELIVERY__WAIT?",
        );
        check_refused(
            "",
            &[],
            &[("lissen", "5s")],
            r#"command line: unknown key "lissen"; did you mean "listen"?"#,
        );
    }

    #[test]
    fn a_value_outside_its_limits_is_rejected_by_the_name_used_for_it() {
        check_refused("", &[("KAIWA_WORKERS", "65")], &[], "KAIWA_WORKERS must be 1 to 64, found 65");
        check_refused(
            "",
            &[],
            &[("workers", "many")],
            r#"command line: "workers" must be a whole number, 1 to 64, found "many""#,
        );
    }

    #[test]
    fn the_first_backoff_must_not_exceed_the_longest() {
        check_refused(
            "[delivery]\nbackoff_first = \"11m\"",
            &[],
            &[],
            "delivery.backoff_first (11m) must not be more than delivery.backoff_max (10m)",
        );
    }

    #[test]
    fn a_secret_is_read_from_its_file_without_the_line_break_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, format!("{KEY}\r\n")).unwrap();

        let variables = environment(&[("KAIWA_AUTH__JWT_KEY_FILE", path.to_str().unwrap())]);
        let config = load(None, variables, &[]).unwrap();

        assert_eq!(config.require_jwt_key().unwrap().expose(), KEY);
    }

    #[test]
    fn a_secret_overrides_its_file_and_a_file_its_secret() {
        let file = "[auth]\njwt_key_file = \"/nowhere/key\"";

        let config = load_text(file, &[("KAIWA_AUTH__JWT_KEY", KEY)], &[]).unwrap();

        assert_eq!(config.require_jwt_key().unwrap().expose(), KEY);
        assert_eq!(config.auth.jwt_key_file, None);
        check_refused(
            &format!("[auth]\njwt_key = \"{KEY}\""),
            &[],
            &[("auth.jwt_key_file", "kaiwa-data/none/such")],
            "auth.jwt_key_file: kaiwa-data/none/such cannot be read: No such file or directory (os error 2)",
        );
    }

    #[test]
    fn a_secret_given_twice_in_one_source_is_rejected() {
        check_refused(
            "",
            &[("KAIWA_AUTH__JWT_KEY", KEY), ("KAIWA_AUTH__JWT_KEY_FILE", "key")],
            &[],
            "both KAIWA_AUTH__JWT_KEY and KAIWA_AUTH__JWT_KEY_FILE are given",
        );
    }

    #[test]
    fn a_missing_or_short_key_is_rejected_where_it_is_needed() {
        let short = load(None, [], &[("auth.jwt_key", &KEY[1..])]).unwrap();

        for config in [Config::default(), short] {
            let error = config.require_jwt_key().unwrap_err().to_string();

            assert!(
                error.contains("at least 32 bytes (characters)") && !error.contains(&KEY[1..]),
                "{error}"
            );
        }
    }

    #[test]
    fn an_id_must_not_be_declared_twice() {
        let customer = "[[customers]]\nid = \"a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f\"\n";

        check_refused(
            &customer.repeat(2),
            &[],
            &[],
            r#"customers.id "a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f" is declared twice"#,
        );
    }

    #[test]
    fn secrets_are_not_printed() {
        let file = "[[accounts]]\nid = \"a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f\"\ncustomer = \"Somebody\"\n\
                    secret = \"hunter2\"\ntoken = \"hunter2\"\n";

        let config = load_text(file, &[("KAIWA_AUTH__JWT_KEY", KEY)], &[]).unwrap();
        let printed = format!("{config:?}");

        assert_eq!(config.accounts[0].secret.expose(), "hunter2");
        assert!(printed.contains("Somebody") && printed.contains("[secret]"), "{printed}");
        assert!(!printed.contains("hunter2") && !printed.contains(KEY), "{printed}");
    }
}
