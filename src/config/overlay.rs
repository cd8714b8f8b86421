//! Settings from the environment and the command line, which override the file.

use std::env;

use toml::{Table, Value};

use crate::config::key::{self, ConfigKey, KEYS};
use crate::config::service_link::is_service_link;
use crate::config::value;
use crate::error::{Error, Result};

/// The prefix of our environment variables.
const PREFIX: &str = "KAIWA_";

/// A validated value from outside the file.
pub struct Setting {
    key: &'static ConfigKey,
    value: Value,
    /// The name under which it was set, for error messages.
    origin: String,
}

/// The environment variables of this process that concern us.
pub fn process_environment() -> Result<Vec<(String, String)>> {
    // Not `vars`, which panics when any variable, ours or not, is not Unicode.
    let named = env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text)));
    named
        .filter(|(name, text)| is_set(name, &text.to_string_lossy()))
        .map(|(name, text)| match text.into_string() {
            Ok(text) => Ok((name, text)),
            Err(_) => Err(Error::Unusable(format!("{name} is not Unicode text"))),
        })
        .collect()
}

/// Whether a variable is one of our settings. Empty or blank ones, which Compose passes for unset variables, do
/// not count, and neither do those that Kubernetes or Docker set for a service.
fn is_set(name: &str, text: &str) -> bool {
    let is_ours = || singles().any(|key| key::variable(key.name) == name);
    name.starts_with(PREFIX) && !text.trim().is_empty() && (is_ours() || !is_service_link(name, text))
}

/// The settings from these variables; unrelated variables are skipped.
pub fn variables(environment: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Setting>> {
    let ours = environment.into_iter().filter(|(name, text)| is_set(name, text));
    ours.map(|(name, text)| {
        let key = singles().find(|key| key::variable(key.name) == name).ok_or_else(|| {
            let nearest = key::nearest(&name, singles().map(|key| key::variable(key.name)));
            Error::Unusable(format!("unknown variable {name}; did you mean {nearest}?"))
        })?;
        setting(key, &text, name)
    })
    .collect()
}

/// The settings from these pairs of a dotted key and a value.
pub fn flags(flags: &[(&str, &str)]) -> Result<Vec<Setting>> {
    let each = flags.iter().map(|(name, text)| {
        let key = singles().find(|key| key.name == *name).ok_or_else(|| {
            let nearest = key::nearest(name, singles().map(|key| key.name.to_owned()));
            Error::Unusable(format!(r#"command line: unknown key "{name}"; did you mean "{nearest}"?"#))
        })?;
        setting(key, text, format!(r#"command line: "{name}""#))
    });
    each.collect()
}

/// Overrides values of the table with the settings. A secret replaces its file, and a file its secret.
pub fn apply(table: &mut Table, settings: &[Setting]) -> Result<()> {
    for setting in settings {
        check_rival(setting, settings)?;
        for rival in KEYS.iter().filter(|key| are_rivals(key, setting.key)) {
            remove(table, rival.name);
        }
        insert(table, setting.key.name, setting.value.clone());
    }
    Ok(())
}

fn singles() -> impl Iterator<Item = &'static ConfigKey> {
    KEYS.iter().filter(|key| key.is_single())
}

fn setting(key: &'static ConfigKey, text: &str, origin: String) -> Result<Setting> {
    match value::from_text(key.kind, text) {
        Ok(value) => Ok(Setting { key, value, origin }),
        Err(message) => Err(Error::Unusable(format!("{origin} {message}"))),
    }
}

fn check_rival(setting: &Setting, settings: &[Setting]) -> Result<()> {
    match settings.iter().find(|other| are_rivals(other.key, setting.key)) {
        Some(other) => {
            Err(Error::Unusable(format!("both {} and {} are given", setting.origin, other.origin)))
        }
        None => Ok(()),
    }
}

/// Whether one of the two is a secret and the other its file.
fn are_rivals(one: &ConfigKey, other: &ConfigKey) -> bool {
    one.file().is_some_and(|file| file == other.name) || other.file().is_some_and(|file| file == one.name)
}

fn insert(table: &mut Table, name: &str, value: Value) {
    let Some((section, name)) = name.split_once('.') else {
        table.insert(name.to_owned(), value);
        return;
    };
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    section
        .as_table_mut()
        .expect("the file was checked to have a section here")
        .insert(name.to_owned(), value);
}

fn remove(table: &mut Table, name: &str) {
    let found = name.split_once('.').and_then(|(section, name)| Some((table.get_mut(section)?, name)));
    if let Some((Value::Table(section), name)) = found {
        section.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, load};

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn load_variables(variables: &[(&str, &str)]) -> Result<Config> {
        let owned = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        load(None, owned, &[])
    }

    #[test]
    fn an_empty_or_blank_variable_counts_as_unset_for_every_key() {
        let names = singles().map(|key| key::variable(key.name)).chain(["KAIWA_LISTN".to_owned()]);
        let blanks = ["", " ", "\t ", "\n", "\r\n"].into_iter().cycle();
        let empty: Vec<_> = names.zip(blanks).map(|(name, blank)| (name, blank.to_owned())).collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        let file = "base_path = \"/kaiwa\"\n[limits]\nallowed_hosts = [\"files.internal\"]\n";
        std::fs::write(&path, file).unwrap();

        assert_eq!(load(None, empty.clone(), &[]).unwrap(), Config::default());
        assert_eq!(load(Some(&path), empty, &[]).unwrap(), load(Some(&path), [], &[]).unwrap());
        let with_key = load_variables(&[("KAIWA_AUTH__JWT_KEY", KEY), ("KAIWA_AUTH__JWT_KEY_FILE", "")]);
        assert_eq!(with_key.unwrap().require_jwt_key().unwrap().expose(), KEY);
    }

    #[test]
    fn variables_that_kubernetes_sets_for_services_are_not_settings() {
        let links = [
            ("KAIWA_METRICS_SERVICE_HOST", "10.0.0.7"),
            ("KAIWA_PORT", "tcp://10.0.0.7:8080"),
            ("KAIWA_NAME", "/web/kaiwa"),
            ("KAIWA_ENV_LISTEN", "0.0.0.0:80"),
        ];

        assert_eq!(load_variables(&links).unwrap(), Config::default());
        let error = load_variables(&[links[0], ("KAIWA_METRICS__LISTN", "127.0.0.1:9464")]).unwrap_err();
        let expected = "unknown variable KAIWA_METRICS__LISTN; did you mean KAIWA_METRICS__LISTEN?";
        assert_eq!(error.to_string(), expected);
    }
}
