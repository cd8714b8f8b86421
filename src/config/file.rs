//! Reads the configuration file. Each key is validated where it occurs, so that an error can name line and
//! column.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeInteger, DeTable, DeValue};
use toml::{Spanned, Table};

use crate::config::key::{self, ConfigKey, KEYS, ValueKind};
use crate::config::value;
use crate::error::{Error, Result};

/// A position in the file and what is wrong there.
type FileFault = (Range<usize>, String);

/// Reads the settings of a file; all keys are known and all values valid.
pub fn read(path: &Path) -> Result<Table> {
    let unreadable = |error| Error::Unusable(format!("cannot read {}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(unreadable)?;
    parse(&text).map_err(|(span, message)| {
        let (line, column) = position(&text, span.start);
        Error::Unusable(format!("{}:{line}:{column}: {message}", path.display()))
    })
}

fn parse(text: &str) -> Result<Table, FileFault> {
    // Only the message of an error: its display also quotes the line, which may hold a secret.
    let fault = |error: toml::de::Error| (error.span().unwrap_or(0..0), error.message().to_owned());
    let document = DeTable::parse(text).map_err(fault)?;
    check_table(document.get_ref(), "")?;
    toml::from_str(text).map_err(fault)
}

fn check_table(table: &DeTable<'_>, section: &str) -> Result<(), FileFault> {
    for (name, found) in table {
        let full = full_name(section, name.get_ref());
        match key::find(&full) {
            Some(key) if matches!(key.kind, ValueKind::Tables) => check_tables(key, found)?,
            Some(key) => check_value(key, found)?,
            None if key::is_section(&full) => check_section(&full, found)?,
            None => return Err((name.span(), unknown(&full, found.get_ref()))),
        }
    }
    check_files(table, section)
}

fn check_section(name: &str, found: &Spanned<DeValue<'_>>) -> Result<(), FileFault> {
    match found.get_ref().as_table() {
        Some(table) => check_table(table, name),
        None => Err((found.span(), format!(r#""{name}" is a section: write [{name}] and its keys below"#))),
    }
}

fn check_tables(key: &ConfigKey, found: &Spanned<DeValue<'_>>) -> Result<(), FileFault> {
    let wrong =
        |at: &Spanned<_>| (at.span(), format!(r#""{0}" is a list: write [[{0}]] for each"#, key.name));
    let list = found.get_ref().as_array().ok_or_else(|| wrong(found))?;
    for item in list {
        let table = item.get_ref().as_table().ok_or_else(|| wrong(item))?;
        check_table(table, key.name)?;
        check_required(table, key.name).map_err(|message| (item.span(), message))?;
        check_alternatives(table, key.name).map_err(|message| (item.span(), message))?;
    }
    Ok(())
}

fn check_value(key: &ConfigKey, found: &Spanned<DeValue<'_>>) -> Result<(), FileFault> {
    let checked = match found.get_ref() {
        DeValue::Array(list) if value::is_list(key.kind) => {
            let each = list.iter().map(|one| one.get_ref().as_str().map(str::trim));
            let checked = each.map(|one| match one {
                Some(one) if !one.is_empty() => value::check_text(key.kind, one),
                _ => Err(value::text_expected(key.kind)),
            });
            checked.collect()
        }
        DeValue::String(_) if value::is_list(key.kind) => Err(value::text_expected(key.kind)),
        DeValue::String(text) => value::check_text(key.kind, text),
        DeValue::Integer(digits) => number(digits).and_then(|number| value::check_number(key.kind, number)),
        other => Err(format!("{}, found {}", value::text_expected(key.kind), other.type_str())),
    };
    checked.map_err(|message| (found.span(), format!(r#""{}" {message}"#, key.name)))
}

/// Checks that each `[[section]]` has its required keys.
fn check_required(table: &DeTable<'_>, section: &str) -> Result<(), String> {
    let has = |name: &str| table.keys().any(|key| full_name(section, key.get_ref()) == name);
    let required = KEYS.iter().filter(|key| matches!(key.kind, ValueKind::Needed(_)));
    for key in required.filter(|key| key.section() == Some(section)) {
        match key.file() {
            _ if has(key.name) => {}
            Some(file) if has(&file) => {}
            Some(file) => return Err(format!(r#""{}" or "{file}" is missing"#, key.name)),
            None => return Err(format!(r#""{}" is missing"#, key.name)),
        }
    }
    Ok(())
}

/// Checks that each `[[accounts]]` has exactly one credential.
fn check_alternatives(table: &DeTable<'_>, section: &str) -> Result<(), String> {
    if section != "accounts" {
        return Ok(());
    }
    let has = |name: &str| table.keys().any(|key| key.get_ref() == name);
    match (has("token") || has("token_file"), has("channel_id")) {
        (false, false) => {
            Err(r#""accounts.token", "accounts.token_file" or "accounts.channel_id" is missing"#.to_owned())
        }
        (true, true) => Err(r#"both a token and "accounts.channel_id" are given"#.to_owned()),
        _ => Ok(()),
    }
}

/// Checks that no secret is given both as a value and as a file.
fn check_files(table: &DeTable<'_>, section: &str) -> Result<(), FileFault> {
    for name in table.keys() {
        let secret = key::find(&full_name(section, name.get_ref()));
        let Some((key, file)) = secret.and_then(|key| Some((key, key.file()?))) else { continue };
        if table.keys().any(|other| full_name(section, other.get_ref()) == file) {
            return Err((name.span(), format!(r#"both "{}" and "{file}" are given"#, key.name)));
        }
    }
    Ok(())
}

fn unknown(name: &str, found: &DeValue<'_>) -> String {
    let is_section = found.is_table() || found.is_array();
    let known = KEYS.iter().filter_map(|key| if is_section { key.section() } else { Some(key.name) });
    format!(r#"unknown key "{name}"; did you mean "{}"?"#, key::nearest(name, known.map(str::to_owned)))
}

fn full_name(section: &str, name: &str) -> String {
    // A dot inside a quoted name is not a separator, and no key contains one.
    let name = name.replace('.', r"\.");
    if section.is_empty() { name } else { format!("{section}.{name}") }
}

fn number(digits: &DeInteger<'_>) -> Result<i64, String> {
    let number = i64::from_str_radix(digits.as_str(), digits.radix());
    number.map_err(|_| "must be a smaller number".to_owned())
}

/// The line and column of an offset, both starting at 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUSTOMER: &str = "[[customers]]\nid = \"a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f\"\n";
    const ACCOUNT: &str = "[[accounts]]\nid = \"a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f\"\ncustomer = \"x\"\n";

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        fs::write(&path, text).unwrap();

        let error = read(&path).unwrap_err().to_string();

        assert_eq!(error.strip_prefix(&format!("{}:", path.display())), Some(expected), "{error}");
    }

    #[test]
    fn an_unknown_key_is_reported_with_its_position_and_the_nearest_known_one() {
        check(
            "workers = 3\n\n[delivery]\n  wiat = \"5s\"\n",
            r#"4:3: unknown key "delivery.wiat"; did you mean "delivery.wait"?"#,
        );
        check("[deliver]\n", r#"1:2: unknown key "deliver"; did you mean "delivery"?"#);
        check("[[acounts]]\n", r#"1:3: unknown key "acounts"; did you mean "accounts"?"#);
        check(
            &format!("{CUSTOMER}nmae = \"x\""),
            r#"3:1: unknown key "customers.nmae"; did you mean "customers.name"?"#,
        );
    }

    #[test]
    fn a_quoted_name_with_a_dot_is_not_a_section() {
        check(
            r#""delivery.wait" = "5s""#,
            r#"1:1: unknown key "delivery\.wait"; did you mean "delivery.wait"?"#,
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_or_size_is_reported_with_its_position() {
        check("workers = 65", r#"1:11: "workers" must be 1 to 64, found 65"#);
        check("workers = \"2\"", r#"1:11: "workers" must be a whole number without quotes, found "2""#);
        check("workers = 0x7fffffffffffffffff", r#"1:11: "workers" must be a smaller number"#);
        check("workers = true", r#"1:11: "workers" must be a whole number, 1 to 64, found boolean"#);
        check(
            "[delivery]\nwait = 10",
            r#"2:8: "delivery.wait" must be a duration in quotes such as "10s", found a number"#,
        );
        check(
            "[limits]\nallowed_hosts = \"files.internal\"",
            r#"2:17: "limits.allowed_hosts" must be a list of hosts such as ["files.internal"]"#,
        );
        check(
            "[limits]\nallowed_hosts = [\"http://files.internal\"]",
            r#"2:17: "limits.allowed_hosts" must be names or addresses of hosts, without scheme and port, found "http://files.internal""#,
        );
        check("delivery = 1", r#"1:12: "delivery" is a section: write [delivery] and its keys below"#);
        check("[customers]", r#"1:1: "customers" is a list: write [[customers]] for each"#);
    }

    #[test]
    fn a_missing_key_of_an_account_is_reported() {
        check("[[customers]]\n", r#"1:1: "customers.id" is missing"#);
        check(ACCOUNT, r#"1:1: "accounts.secret" or "accounts.secret_file" is missing"#);
        check(
            &format!("{ACCOUNT}secret = \"s\"\n"),
            r#"1:1: "accounts.token", "accounts.token_file" or "accounts.channel_id" is missing"#,
        );
        check(
            &format!("{ACCOUNT}secret = \"s\"\ntoken = \"t\"\nchannel_id = \"1\"\n"),
            r#"1:1: both a token and "accounts.channel_id" are given"#,
        );
        check(
            &format!("{ACCOUNT}secret = \"s\"\nsecret_file = \"f\"\n"),
            r#"4:1: both "accounts.secret" and "accounts.secret_file" are given"#,
        );
    }

    #[test]
    fn text_that_is_not_toml_is_rejected_with_its_position() {
        check("workers = 2\nworkers = 3\n", "2:1: duplicate key");
    }

    #[test]
    fn no_error_shows_a_secret() {
        let secrets =
            ["hunter2hunter2", "7777777", "\"hunter2", "[\"hunter2\"]", "\"hunter2\" x", "hunter2 = 1"];
        for secret in secrets {
            let text = format!("{ACCOUNT}token = \"t\"\nsecret = {secret}\n");

            let (_, message) = parse(&text).unwrap_err();

            assert!(!message.contains("hunter2") && !message.contains("777"), "{message}");
        }
    }
}
