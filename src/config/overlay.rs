//! What the environment and the command line set on top of the file.

use std::env;

use toml::{Table, Value};

use crate::config::key::{self, KEYS, Key};
use crate::config::value;
use crate::error::{Error, Result};

/// What our variables begin with.
const PREFIX: &str = "KAIWA_";

/// One value from outside the file, checked.
pub struct Setting {
    key: &'static Key,
    value: Value,
    /// How the one who set it calls it.
    origin: String,
}

/// The variables of this process that concern us.
pub fn process_environment() -> Result<Vec<(String, String)>> {
    // Not `vars`: that panics when any variable, ours or not, is not Unicode.
    let named = env::vars_os().filter_map(|(name, text)| Some((name.into_string().ok()?, text)));
    named
        .filter(|(name, _)| name.starts_with(PREFIX))
        .map(|(name, text)| match text.into_string() {
            Ok(text) => Ok((name, text)),
            Err(_) => Err(Error::Unusable(format!("{name} is not Unicode text"))),
        })
        .collect()
}

/// Kubernetes sets variables of these names for a service that is called `kaiwa`.
fn is_service_link(name: &str) -> bool {
    name.starts_with("KAIWA_SERVICE_") || name == "KAIWA_PORT" || name.starts_with("KAIWA_PORT_")
}

/// The settings that these variables make; variables of others are skipped.
pub fn variables(environment: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Setting>> {
    let ours = environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX) && !is_service_link(name));
    ours.map(|(name, text)| {
        let key = singles().find(|key| key::variable(key.name) == name).ok_or_else(|| {
            let nearest = key::nearest(&name, singles().map(|key| key::variable(key.name)));
            Error::Unusable(format!("unknown variable {name}; did you mean {nearest}?"))
        })?;
        setting(key, &text, name)
    })
    .collect()
}

/// The settings that these pairs of a dotted key and a value make.
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

/// Writes the settings over the table. A secret takes the place of its file, and a file that of its secret.
pub fn lay(table: &mut Table, settings: &[Setting]) -> Result<()> {
    for setting in settings {
        check_rival(setting, settings)?;
        for rival in KEYS.iter().filter(|key| are_rivals(key, setting.key)) {
            remove(table, rival.name);
        }
        insert(table, setting.key.name, setting.value.clone());
    }
    Ok(())
}

fn singles() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| key.is_single())
}

fn setting(key: &'static Key, text: &str, origin: String) -> Result<Setting> {
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

/// Whether one of the two is a secret and the other the file that holds it.
fn are_rivals(one: &Key, other: &Key) -> bool {
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
    let place = name.split_once('.').and_then(|(section, name)| Some((table.get_mut(section)?, name)));
    if let Some((Value::Table(section), name)) = place {
        section.remove(name);
    }
}
