//! The secrets in the database, and the SQL functions that seal and open them.
//!
//! Each connection has two functions: statements write `seal(text, 'table.column', id)` and read `unseal(column,
//! 'table.column', id)`, with the public id of the row. NULL and '' are no secrets and stay as they are. All secrets of a file
//! are sealed with the same key, which one row, the probe, identifies.

use std::path::Path;
use std::sync::Arc;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, TransactionBehavior};
use uuid::Uuid;

use crate::config::key_source::KeySource;
use crate::error::{Error, Result};
use crate::store::encryption::seal::{SealedColumn, SealingKey};
use crate::store::encryption::{keys, seal};
use crate::store::engine::location::lost;
use crate::store::engine::lock::Lock;
use crate::store::engine::{connection, damage, failure, schema};

/// Every sealed column, with one statement for each table: `reseal` opens the stored text and seals it with another key.
const RESEAL: &[&str] = &[
    "
    UPDATE accounts SET
        secret = reseal(secret, 'accounts.secret', id),
        secret_next = reseal(secret_next, 'accounts.secret_next', id),
        token = reseal(token, 'accounts.token', id)",
    "
    UPDATE webhook_endpoints SET
        secret = reseal(secret, 'webhook_endpoints.secret', id),
        secret_previous = reseal(secret_previous, 'webhook_endpoints.secret_previous', id)",
];

/// Every secret with its place and the name of its owner.
const SECRETS: &str = "
    SELECT secret, 'accounts.secret', id, name FROM accounts WHERE secret <> ''
    UNION ALL
    SELECT secret_next, 'accounts.secret_next', id, name FROM accounts WHERE secret_next <> ''
    UNION ALL
    SELECT token, 'accounts.token', id, name FROM accounts WHERE token <> ''
    UNION ALL
    SELECT secret, 'webhook_endpoints.secret', e.id, name
    FROM webhook_endpoints e LEFT JOIN customers c ON c.key = e.customer
    WHERE secret <> ''
    UNION ALL
    SELECT secret_previous, 'webhook_endpoints.secret_previous', e.id, name
    FROM webhook_endpoints e LEFT JOIN customers c ON c.key = e.customer
    WHERE secret_previous <> ''";

/// Damaged secrets that an error names; the others are only counted.
const NAMED_MAX: usize = 10;

/// The text that is sealed to recognize the right key.
const PROBE: &str = "kaiwa";

/// Its column, in a table with a single row.
const PROBE_COLUMN: SealedColumn<'static> = SealedColumn { column: "sealing.probe", row: b"" };

/// Read in place of a damaged value that is neither text nor NULL. No key opens it.
const NO_TEXT: &[u8] = b"damaged";

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DIRECTONLY);

/// The key of an open database, for all of its connections. SQL seals and opens with the functions that
/// [`Sealer::install`] defines.
#[derive(Clone)]
pub struct Sealer {
    key: Arc<SealingKey>,
    /// Returned for a secret that cannot be opened: a random text, so that nothing is signed or authenticated with it.
    unknown: Arc<str>,
}

/// The result of a key rotation.
#[derive(Debug)]
pub struct KeyRotation {
    /// The id of the previous key.
    pub from: String,
    /// The id of the new key.
    pub to: String,
}

impl Sealer {
    /// The key of a database that has one.
    ///
    /// `Unusable` when none of the available keys is the right one. Nothing is changed.
    pub fn unlock(connection: &Connection, source: &KeySource) -> Result<Self> {
        let probe =
            probe(connection)?.ok_or_else(|| Error::Unusable("the database has no key yet".to_owned()))?;
        let listed = keys::read(source)?;
        let refused = not_opened(&probe, source, listed.is_empty());
        let mut listed: Vec<_> = listed.into_iter().map(|listed| listed.key).collect();
        let opening = listed.iter().position(|key| key.open(&probe, PROBE_COLUMN).is_ok());
        // If the probe is damaged, a key that opens another secret is the right one.
        let opening =
            opening.map_or_else(|| instead_of_probe(connection, &listed, &probe), |key| Ok(Some(key)));
        let key = opening?.map(|place| listed.swap_remove(place)).ok_or(Error::Unusable(refused))?;
        Ok(Self { key: Arc::new(key), unknown: keys::random_text()?.into() })
    }

    /// Refuses a wrong key before an older database is migrated, so that it stays as it is.
    pub fn refuse_other_key(connection: &Connection, source: &KeySource) -> Result<()> {
        const SQL: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'sealing'";
        let has_keys: bool = connection.query_row(SQL, [], |row| row.get(0))?;
        if has_keys && probe(connection)?.is_some() {
            Self::unlock(connection, source).map(drop)
        } else {
            Ok(())
        }
    }

    /// The key of a database, for a process that may write. A database without a key gets the first available one or a new
    /// one, and its plaintext secrets are sealed.
    pub fn unlock_or_begin(connection: &mut Connection, source: &KeySource) -> Result<Self> {
        if probe(connection)?.is_none() {
            let key = Arc::new(keys::first(source)?);
            let sealing = Arc::clone(&key);
            reseal(connection, &key, move |text, place| sealing.seal(text, place))?;
        }
        let sealer = Self::unlock(connection, source)?;
        sealer.mend_probe(connection)?;
        Ok(sealer)
    }

    /// Seals a new probe if the old one is damaged.
    fn mend_probe(&self, connection: &Connection) -> Result<()> {
        let probe = probe(connection)?.unwrap_or_default();
        if self.key.open(&probe, PROBE_COLUMN).is_ok() {
            return Ok(());
        }
        damage::report(PROBE_COLUMN.column, "the key is the right one, and seals a new one");
        write_probe(connection, &self.key)
    }

    /// Defines the SQL functions on a connection. A secret that is damaged or was copied from another place is reported and
    /// reads as a random text; other rows are not affected.
    pub fn install(&self, connection: &Connection) -> Result<()> {
        let (sealing, opening, unknown) = (Arc::clone(&self.key), self.key.clone(), self.unknown.clone());
        let looking = Arc::clone(&self.key);
        connection.create_scalar_function("opens", 3, FLAGS, move |context| {
            Ok(context
                .get_raw(0)
                .as_str()
                .is_ok_and(|text| column_of(context).is_ok_and(|place| looking.open(text, place).is_ok())))
        })?;
        define(connection, "seal", move |text, place| sealing.seal(text, place))?;
        define(connection, "unseal", move |text, place| {
            Ok(opening.open(text, place).unwrap_or_else(|_| {
                damage::report(place.column, "nothing is signed or opened with it until it is set again");
                unknown.to_string()
            }))
        })
    }

    /// Whether a secret can be opened in its place.
    pub fn opens(&self, sealed: &str, column: &str, row: &[u8]) -> bool {
        self.key.open(sealed, SealedColumn { column, row }).is_ok()
    }
}

/// Seals all secrets with another key: the first one of the configuration, or a new one in the key file.
///
/// No server may be running. Both keys are stored until the end, and the database is sealed with one of them as a whole, also
/// if the rotation is interrupted.
pub fn rotate(path: &Path, source: &KeySource) -> Result<KeyRotation> {
    rotate_in(path, source).map_err(failure::named(path))
}

fn rotate_in(path: &Path, source: &KeySource) -> Result<KeyRotation> {
    lost::require(path)?;
    let _lock = Lock::take(path)?;
    schema::refuse_foreign(path)?;
    let mut connection = connection::open_writing(path)?;
    Sealer::refuse_other_key(&connection, source)?;
    schema::bring_up_to_date(&mut connection)?;
    let old = Sealer::unlock_or_begin(&mut connection, source)?.key;
    refuse_damaged(&connection, &old)?;
    let new = Arc::new(keys::successor(source, old.id())?);
    let (opening, sealing) = (Arc::clone(&old), Arc::clone(&new));
    reseal(&mut connection, &new, move |text, place| sealing.seal(&opening.open(text, place)?, place))?;
    // The log still contains secrets that are sealed with the old key.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    keys::retain_only(source, new.id())?;
    Ok(KeyRotation { from: old.id().to_owned(), to: new.id().to_owned() })
}

/// Refuses a rotation while there are secrets that cannot be opened, with their owners and the remedy.
fn refuse_damaged(connection: &Connection, key: &SealingKey) -> Result<()> {
    let mut statement = connection.prepare(SECRETS)?;
    let mut rows = statement.query([])?;
    let mut damaged = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str().unwrap_or_default();
        let id = row.get_ref(2)?.as_blob().unwrap_or_default();
        let place = SealedColumn { column: row.get_ref(1)?.as_str().unwrap_or_default(), row: id };
        if key.open(text, place).is_err() {
            let id = Uuid::from_slice(id).map_or_else(|_| "an unreadable id".to_owned(), |id| id.to_string());
            let name = String::from_utf8_lossy(row.get_ref(3)?.as_bytes().unwrap_or_default()).into_owned();
            damaged.push(format!("{} of {id} {name:?}", place.column));
        }
    }
    let more = match damaged.len().saturating_sub(NAMED_MAX) {
        0 if damaged.is_empty() => return Ok(()),
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    damaged.truncate(NAMED_MAX);
    Err(Error::Unusable(format!(
        "nothing was changed, since the key {} does not open these secrets: {}{more}. Start the server and set them again (accounts: \
         PUT /v1.0/conversation_accounts/{{id}}, or in the configuration; webhook_endpoints: `kaiwa webhooks rotate`), or restore \
         a backup; then rotate again",
        key.id(),
        damaged.join(", ")
    )))
}

/// Replaces every secret by the result of `each`, and the probe by one of `key`, in one transaction.
fn reseal(
    connection: &mut Connection,
    key: &SealingKey,
    each: impl Fn(&str, SealedColumn<'_>) -> Result<String> + Send + 'static,
) -> Result<()> {
    define(connection, "reseal", each)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for statement in RESEAL {
        transaction.execute(statement, [])?;
    }
    write_probe(&transaction, key)?;
    transaction.commit()?;
    connection.remove_function("reseal", 3)?;
    Ok(())
}

/// The probe as far as it can be read; `None` if there is none.
fn probe(connection: &Connection) -> Result<Option<String>> {
    const SQL: &str = "SELECT max(probe) FROM sealing";
    Ok(connection.query_row(SQL, [], |row| {
        let text = row.get_ref(0)?.as_bytes_or_null().unwrap_or(Some(NO_TEXT));
        Ok(text.map(|text| String::from_utf8_lossy(text).into_owned()))
    })?)
}

fn write_probe(connection: &Connection, key: &SealingKey) -> Result<()> {
    const SQL: &str = "
        INSERT INTO sealing (only, probe) VALUES (1, ?1)
        ON CONFLICT (only) DO UPDATE SET probe = ?1";
    connection.execute(SQL, [key.seal(PROBE, PROBE_COLUMN)?])?;
    Ok(())
}

/// The right key when the probe is damaged: one that opens any secret. If nothing is sealed, the first key is used, unless the
/// probe was sealed with a known other key.
fn instead_of_probe(connection: &Connection, listed: &[SealingKey], probe: &str) -> Result<Option<usize>> {
    let mut statement = connection.prepare(SECRETS)?;
    let mut rows = statement.query([])?;
    let mut is_sealed = false;
    while let Some(row) = rows.next()? {
        is_sealed = true;
        let (Ok(text), Ok(id)) = (row.get_ref(0)?.as_str(), row.get_ref(2)?.as_blob()) else { continue };
        let place = SealedColumn { column: row.get_ref(1)?.as_str().unwrap_or_default(), row: id };
        let opening = listed.iter().position(|key| key.open(text, place).is_ok());
        if opening.is_some() {
            return Ok(opening);
        }
    }
    let of_probe = seal::key_id(probe).filter(|id| seal::is_key_id(id));
    let is_safe = |key: &SealingKey| of_probe.is_none_or(|id| id == key.id());
    Ok(listed.iter().position(is_safe).filter(|_| !is_sealed))
}

/// The place of a text, from the arguments of an SQL function.
fn column_of<'context>(context: &'context Context<'_>) -> rusqlite::Result<SealedColumn<'context>> {
    Ok(SealedColumn { column: context.get_raw(1).as_str()?, row: context.get_raw(2).as_blob()? })
}

fn define(
    connection: &Connection,
    name: &str,
    change: impl Fn(&str, SealedColumn<'_>) -> Result<String> + Send + 'static,
) -> Result<()> {
    let call = move |context: &mut Context<'_>| -> rusqlite::Result<Option<String>> {
        let text = match context.get_raw(0) {
            ValueRef::Null => return Ok(None),
            text => String::from_utf8_lossy(text.as_bytes().unwrap_or(NO_TEXT)),
        };
        if text.is_empty() {
            return Ok(Some(String::new()));
        }
        change(&text, column_of(context)?)
            .map(Some)
            .map_err(|error| rusqlite::Error::UserFunctionError(error.chain().into()))
    };
    Ok(connection.create_scalar_function(name, 3, FLAGS, call)?)
}

fn not_opened(probe: &str, source: &KeySource, missing: bool) -> String {
    let Some(id) = seal::key_id(probe).filter(|id| seal::is_key_id(id)) else {
        return "sealing with only 1: probe: this is damaged, so that nobody can know which key seals the secrets, and no \
                key that there is opens one of them. Put the key back, or restore a backup; nothing was changed"
            .to_owned();
    };
    let fault = match source {
        KeySource::Given(_) => "storage.secret_key (or its file) is another key".to_owned(),
        KeySource::File(path) if missing => format!("there is no key in {}", path.display()),
        KeySource::File(path) => format!("{} holds another key", path.display()),
    };
    format!(
        "the secrets in the database are sealed with the key {id}, and {fault}. Put the key back from where you keep \
         its copy; nothing was changed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sealed_column_is_resealed_by_a_rotation() {
        let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let rooms =
            entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store")).filter(|path| path.is_dir());
        let others = rooms.flat_map(|room| entries(&room)).filter(|path| !path.ends_with("sealer.rs"));
        let texts = others.filter_map(|path| std::fs::read_to_string(path).ok());
        let calls = texts.flat_map(|text| text.split("seal(").skip(1).map(str::to_owned).collect::<Vec<_>>());
        let places: Vec<_> = calls.filter_map(|call| call.split('\'').nth(1).map(str::to_owned)).collect();
        let is_name = |name: &str| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
        let columns: Vec<_> = places.iter().filter_map(|place| place.split_once('.')).collect();
        let columns: Vec<_> =
            columns.into_iter().filter(|(table, column)| is_name(table) && is_name(column)).collect();

        assert!(columns.len() >= 3, "{columns:?}");
        for (table, column) in columns {
            let statement = format!("{column} = reseal({column}, '{table}.{column}', id)");
            assert!(
                SECRETS.contains(&format!("{column}, '{table}.{column}'")),
                "{table}.{column} is not looked at"
            );
            assert!(RESEAL.iter().any(|sql| sql.contains(&statement)), "{statement} is missing");
        }
    }
}
