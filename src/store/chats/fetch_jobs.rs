//! Files that are to be fetched, and files that must go: the work of the worker for media.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Error, Result};
use crate::model::chats::chat::LineId;
use crate::model::files::fetch::MediaTask;
use crate::model::files::media::{Media, MediaStatus, MediaType};
use crate::model::id::{AccountId, MediaId};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::chats::{conversations, messages, participants};
use crate::store::engine::damage::{Text, first_readable, optional_text};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;
use crate::store::files::media_store::CompleteFile;
use crate::store::files::medias;

/// While a file is being fetched it is not due again for this long: longer than any attempt takes.
const LEASE: Duration = Duration::from_mins(20);

/// The same while it is being removed, which may be done twice: what the disk has refused is tried again soon.
const LEASE_OF_REMOVAL: Duration = Duration::from_secs(10);

/// A later time than this can only come from a clock that was ahead.
const WAIT_MAX: Duration = Duration::from_hours(2);

/// A file to fetch, or to remove.
#[derive(Debug, Clone)]
pub struct FetchJob {
    /// Only good in the transaction that has found it by the id: once it was erased another row may have it.
    key: i64,
    customer: i64,
    /// Its id.
    pub id: MediaId,
    /// What it is.
    pub kind: MediaType,
    /// What is to be done for it.
    pub task: MediaTask,
    /// LINE's id of the message whose content it is.
    pub message_id: Option<String>,
    /// Where it is, when it is not at LINE.
    pub url: Option<String>,
    /// Where a small picture of it is, when it is not at LINE.
    pub preview_url: Option<String>,
    /// The account at LINE and its channel access token; none once the account was removed.
    pub access: Option<(AccountId, Secret)>,
    /// Whether it is the picture of somebody who takes part, and no file of a message.
    pub is_picture: bool,
    /// How many bytes it has, as LINE said where it named the file.
    pub announced: Option<u64>,
    /// When it became known.
    pub since: Timestamp,
    /// Attempts so far, this one included.
    pub attempts: u32,
}

/// Takes up to `limit` files for which this errand is due.
pub fn claim(tx: &Transaction<'_>, task: MediaTask, limit: usize) -> Result<Vec<FetchJob>> {
    const SQL: &str = "
        SELECT m.key, m.customer, m.id, m.kind, m.task, source_message_id, source_url, source_preview_url, m.size, m.tm_create,
            m.attempts + 1 AS attempts, m.message_stamp IS NULL AS is_picture, a.id AS account,
            CASE WHEN a.tm_delete IS NULL THEN unseal(a.token, 'accounts.token', a.id) END AS token
        FROM (
            SELECT key FROM medias WHERE task = ?1 AND due_at <= ?2
            UNION ALL
            SELECT key FROM medias WHERE task = ?1 AND due_at > ?3
            LIMIT ?4
        ) due
        JOIN medias m ON m.key = due.key
        LEFT JOIN conversations v ON v.key = m.conversation
        LEFT JOIN accounts a ON a.key = v.account";
    const SQL_LEASE: &str = "UPDATE medias SET due_at = ?2, attempts = attempts + 1 WHERE key = ?1";
    let limit = most(limit);
    let mut statement = tx.prepare_cached(SQL)?;
    let values = (task, tx.now(), tx.now().after(WAIT_MAX), limit);
    let due =
        statement.query_map(values, |row| Ok((row.get("key")?, first_readable(from_row(row), "medias")?)))?;
    let due = due.collect::<rusqlite::Result<Vec<(i64, Option<FetchJob>)>>>()?;
    let lease = if task == MediaTask::Remove { LEASE_OF_REMOVAL } else { LEASE };
    // One that cannot be read waits like the others, and keeps none of them from its turn.
    for (key, fetch) in &due {
        let lease = if fetch.is_some() { lease } else { LEASE };
        tx.prepare_cached(SQL_LEASE)?.execute((key, tx.now().after(lease)))?;
    }
    Ok(due.into_iter().filter_map(|(_, fetch)| fetch).collect())
}

/// What was under way when the process ended is due at once.
pub fn recover(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "UPDATE medias SET due_at = ?1 WHERE due_at > ?1";
    tx.prepare_cached(SQL)?.execute([tx.now()])?;
    Ok(())
}

/// When this errand is due next for a file. A short, indexed read.
pub fn next_due(connection: &Connection, task: MediaTask) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT min(due_at) FROM medias WHERE task = ?1 AND due_at IS NOT NULL";
    Ok(connection.prepare_cached(SQL)?.query_row([task], |row| row.get(0))?)
}

/// How many bytes the customer's files have. A short, indexed read.
pub fn used_bytes(connection: &Connection, fetch: &FetchJob) -> Result<u64> {
    medias::used_bytes(connection, fetch.customer)
}

/// Whether the file is still to be fetched. A short, indexed read.
pub fn is_wanted(connection: &Connection, fetch: &FetchJob) -> Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM medias WHERE id = ?1 AND status = 'pending')";
    Ok(connection.prepare_cached(SQL)?.query_row([fetch.id], |row| row.get(0))?)
}

/// Those of these files that no row wants on disk.
pub fn orphans(connection: &Connection, ids: &[MediaId]) -> Result<Vec<MediaId>> {
    const SQL: &str = "SELECT count(*) FROM medias WHERE id = ?1 AND status <> 'gone'";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut orphans = Vec::new();
    for id in ids {
        if !statement.query_row([id], |row| row.get(0))? {
            orphans.push(*id);
        }
    }
    Ok(orphans)
}

/// The file is on disk, and its message or its conversation shows it. `false` when its message was withdrawn meanwhile: then the file must
/// go.
pub fn store(tx: &Transaction<'_>, fetch: &FetchJob, file: &CompleteFile, has_preview: bool) -> Result<bool> {
    const SQL: &str = "
        UPDATE medias SET status = 'stored', content_type = ?2, size = ?3, sha256 = ?4, due_at = NULL, last_error = ''
        WHERE id = ?1 AND status = 'pending'";
    let size = i64::try_from(file.size).map_err(Error::internal)?;
    let stored = tx.prepare_cached(SQL)?.execute((fetch.id, file.content_type, size, file.sha256))?;
    if stored == 0 {
        return Ok(false);
    }
    if fetch.is_picture {
        return show_profile_image(tx, fetch).map(|()| true);
    }
    let uri = format!("/v1.0/medias/{}", fetch.id);
    show(tx, fetch, |media| {
        media.status = Some(MediaStatus::Stored);
        media.content_type = Some(file.content_type.to_owned());
        media.size = Some(file.size);
        media.preview_uri = has_preview.then(|| format!("{uri}/preview"));
        media.uri = Some(uri);
    })?;
    Ok(true)
}

/// The next attempt is made then.
pub fn postpone(tx: &Transaction<'_>, fetch: &FetchJob, until: Timestamp, reason: &str) -> Result<()> {
    const SQL: &str = "UPDATE medias SET due_at = ?2, last_error = ?3 WHERE id = ?1 AND status = 'pending'";
    tx.prepare_cached(SQL)?.execute((fetch.id, until, reason))?;
    Ok(())
}

/// The file cannot be had and never will be, and its message says so. It is due once more, to be removed: a process that
/// ended between a file and its row has left it.
pub fn give_up(tx: &Transaction<'_>, fetch: &FetchJob, reason: &str) -> Result<()> {
    const SQL: &str = "
        UPDATE medias SET status = 'gone', due_at = ?3, last_error = ?2
        WHERE id = ?1 AND status = 'pending'";
    if tx.prepare_cached(SQL)?.execute((fetch.id, reason, tx.now()))? > 0 && !fetch.is_picture {
        show(tx, fetch, |media| media.status = Some(MediaStatus::Gone))?;
    }
    Ok(())
}

/// Nothing is left on disk of a file that had to go. The row stays with its message, and goes without one.
pub fn removed(tx: &Transaction<'_>, fetch: &FetchJob) -> Result<()> {
    const SQL: &str = "UPDATE medias SET due_at = NULL WHERE id = ?1 AND status = 'gone'";
    const SQL_DELETE: &str = "DELETE FROM medias WHERE id = ?1 AND status = 'gone' AND message_stamp IS NULL";
    tx.prepare_cached(SQL)?.execute([fetch.id])?;
    tx.prepare_cached(SQL_DELETE)?.execute([fetch.id])?;
    Ok(())
}

/// The conversation shows a picture of somebody who takes part.
fn show_profile_image(tx: &Transaction<'_>, fetch: &FetchJob) -> Result<()> {
    const SQL: &str = "SELECT conversation, target FROM participants WHERE picture = ?1";
    let whose: Option<(i64, LineId)> =
        tx.prepare_cached(SQL)?.query_row([fetch.key], |row| row.try_into()).optional()?;
    let Some((conversation, target)) = whose else { return Ok(()) };
    let is_listed = participants::is_listed(tx, conversation, &target)?;
    if is_listed { conversations::touch(tx, conversation) } else { Ok(()) }
}

/// Changes how the message shows the file. A withdrawn message shows none.
fn show(tx: &Transaction<'_>, fetch: &FetchJob, change: impl FnOnce(&mut Media)) -> Result<()> {
    const SQL: &str = "
        SELECT g.conversation, g.tm_create, g.medias
        FROM medias m JOIN messages g ON g.conversation = m.conversation AND g.tm_create = m.message_stamp
        WHERE m.key = ?1";
    const SQL_CHANGE: &str = "UPDATE messages SET medias = ?3 WHERE conversation = ?1 AND tm_create = ?2";
    let (conversation, stamp, medias): (i64, Timestamp, Text) =
        tx.prepare_cached(SQL)?.query_row([fetch.key], |row| row.try_into())?;
    // What is damaged shows no file, and is not written over.
    let mut medias: Vec<Media> = serde_json::from_str(&medias.0).unwrap_or_default();
    let Some(media) = medias.iter_mut().find(|media| media.id == fetch.id) else { return Ok(()) };
    change(media);
    let medias = serde_json::to_string(&medias).map_err(Error::internal)?;
    tx.prepare_cached(SQL_CHANGE)?.execute((conversation, stamp, medias))?;
    messages::touch(tx, (conversation, stamp))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<FetchJob> {
    let (account, token): (Option<AccountId>, Option<Secret>) = (row.get("account")?, row.get("token")?);
    Ok(FetchJob {
        key: row.get("key")?,
        customer: row.get("customer")?,
        id: row.get("id")?,
        kind: row.get("kind")?,
        task: row.get("task")?,
        message_id: optional_text(row, "source_message_id")?,
        url: optional_text(row, "source_url")?,
        preview_url: optional_text(row, "source_preview_url")?,
        access: account.zip(token),
        is_picture: row.get("is_picture")?,
        announced: row.get::<_, Option<i64>>("size")?.and_then(|size| u64::try_from(size).ok()),
        since: row.get("tm_create")?,
        attempts: row.get("attempts")?,
    })
}
