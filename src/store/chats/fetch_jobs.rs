//! Fetch jobs: media files to be fetched or removed by the media worker.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::chats::chat::LineId;
use crate::model::files::fetch::MediaTask;
use crate::model::files::media::{Media, MediaStatus, MediaType};
use crate::model::id::{AccountId, MediaId};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::chats::{conversations, messages, participants};
use crate::store::engine::damage::{Text, first_readable, optional_text};
use crate::store::engine::query::{self, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;
use crate::store::files::media_store::CompleteFile;
use crate::store::files::medias;

/// Lease of a file being fetched: it is not due again for this long, which is longer than any attempt takes.
const LEASE: Duration = Duration::from_mins(20);

/// Lease of a file being removed. A removal may be repeated, so what the disk refused is soon tried again.
const LEASE_OF_REMOVAL: Duration = Duration::from_secs(10);

/// A job scheduled further ahead than this can only come from a clock that was ahead.
const WAIT_MAX: Duration = Duration::from_hours(2);

/// A file to fetch or to remove.
#[derive(Debug, Clone)]
pub struct FetchJob {
    /// Valid only in the transaction that looked it up by id: after an erasure another row may have it.
    key: i64,
    customer: i64,
    /// Id of the media.
    pub id: MediaId,
    /// Type of the media.
    pub kind: MediaType,
    /// What has to be done.
    pub task: MediaTask,
    /// LINE's id of the message whose content it is.
    pub message_id: Option<String>,
    /// Address of the content if it is not at LINE.
    pub url: Option<String>,
    /// Address of its preview image if it is not at LINE.
    pub preview_url: Option<String>,
    /// The LINE account and its channel access token; `None` once the account was removed.
    pub access: Option<(AccountId, Secret)>,
    /// Whether it is a participant's profile picture and not the media of a message.
    pub is_picture: bool,
    /// Size in bytes that LINE announced.
    pub announced: Option<u64>,
    /// When the media was announced.
    pub since: Timestamp,
    /// Attempts so far, including this one.
    pub attempts: u32,
}

/// Claims up to `limit` jobs of this task that are due.
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
    let values = (task, tx.now(), tx.now().after(WAIT_MAX), Limit(limit));
    let read = |row: &Row<'_>| Ok((row.get("key")?, first_readable(from_row(row), "medias")?));
    let due: Vec<(i64, Option<FetchJob>)> = query::rows(tx, SQL, values, read)?;
    let lease = if task == MediaTask::Remove { LEASE_OF_REMOVAL } else { LEASE };
    // An unreadable one gets the longer lease, so that it does not displace others.
    for (key, fetch) in &due {
        let lease = if fetch.is_some() { lease } else { LEASE };
        query::execute(tx, SQL_LEASE, (key, tx.now().after(lease)))?;
    }
    Ok(due.into_iter().filter_map(|(_, fetch)| fetch).collect())
}

/// Makes jobs due that were in flight when the process ended.
pub fn recover(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "UPDATE medias SET due_at = ?1 WHERE due_at > ?1";
    query::execute(tx, SQL, [tx.now()])?;
    Ok(())
}

/// Time at which the next job of this task is due. A short, indexed read.
pub fn next_due(connection: &Connection, task: MediaTask) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT min(due_at) FROM medias WHERE task = ?1 AND due_at IS NOT NULL";
    query::value(connection, SQL, [task])
}

/// Total size of the customer's files in bytes. A short, indexed read.
pub fn used_bytes(connection: &Connection, fetch: &FetchJob) -> Result<u64> {
    medias::used_bytes(connection, fetch.customer)
}

/// Whether the file still has to be fetched. A short, indexed read.
pub fn is_wanted(connection: &Connection, fetch: &FetchJob) -> Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM medias WHERE id = ?1 AND status = 'pending')";
    query::value(connection, SQL, [fetch.id])
}

/// Those of these files that are not supposed to be on disk.
pub fn orphans(connection: &Connection, ids: &[MediaId]) -> Result<Vec<MediaId>> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM medias WHERE id = ?1 AND status <> 'gone')";
    let mut orphans = Vec::new();
    for id in ids {
        if !query::value::<bool>(connection, SQL, [id])? {
            orphans.push(*id);
        }
    }
    Ok(orphans)
}

/// Marks a file as stored and shows it in its message or conversation. Returns `false` if its message was unsent in the
/// meantime: then the file has to be removed.
pub fn store(tx: &Transaction<'_>, fetch: &FetchJob, file: &CompleteFile, has_preview: bool) -> Result<bool> {
    const SQL: &str = "
        UPDATE medias SET status = 'stored', content_type = ?2, size = ?3, sha256 = ?4, due_at = NULL, last_error = ''
        WHERE id = ?1 AND status = 'pending'";
    let size = i64::try_from(file.size).map_err(Error::internal)?;
    let stored = query::execute(tx, SQL, (fetch.id, file.content_type, size, file.sha256))?;
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

/// Postpones the next attempt.
pub fn postpone(tx: &Transaction<'_>, fetch: &FetchJob, until: Timestamp, reason: &str) -> Result<()> {
    const SQL: &str = "UPDATE medias SET due_at = ?2, last_error = ?3 WHERE id = ?1 AND status = 'pending'";
    query::execute(tx, SQL, (fetch.id, until, reason))?;
    Ok(())
}

/// Marks a file as gone for good and shows that in its message. The job becomes due once more as a removal, since a process that
/// ended between writing the file and updating the row may have left a file.
pub fn give_up(tx: &Transaction<'_>, fetch: &FetchJob, reason: &str) -> Result<()> {
    const SQL: &str = "
        UPDATE medias SET status = 'gone', due_at = ?3, last_error = ?2
        WHERE id = ?1 AND status = 'pending'";
    if query::execute(tx, SQL, (fetch.id, reason, tx.now()))? > 0 && !fetch.is_picture {
        show(tx, fetch, |media| media.status = Some(MediaStatus::Gone))?;
    }
    Ok(())
}

/// Records that a gone file is no longer on disk. The row is kept with its message, and deleted without one.
pub fn removed(tx: &Transaction<'_>, fetch: &FetchJob) -> Result<()> {
    const SQL: &str = "UPDATE medias SET due_at = NULL WHERE id = ?1 AND status = 'gone'";
    const SQL_DELETE: &str = "DELETE FROM medias WHERE id = ?1 AND status = 'gone' AND message_stamp IS NULL";
    query::execute(tx, SQL, [fetch.id])?;
    query::execute(tx, SQL_DELETE, [fetch.id])?;
    Ok(())
}

/// Announces the conversation that shows a fetched profile picture.
fn show_profile_image(tx: &Transaction<'_>, fetch: &FetchJob) -> Result<()> {
    const SQL: &str = "SELECT conversation, target FROM participants WHERE picture = ?1";
    let whose: Option<(i64, LineId)> = query::optional_row(tx, SQL, [fetch.key], |row| row.try_into())?;
    let Some((conversation, target)) = whose else { return Ok(()) };
    let is_listed = participants::is_listed(tx, conversation, &target)?;
    if is_listed { conversations::touch(tx, conversation) } else { Ok(()) }
}

/// Changes how the message shows the file. An unsent message shows none.
fn show(tx: &Transaction<'_>, fetch: &FetchJob, change: impl FnOnce(&mut Media)) -> Result<()> {
    const SQL: &str = "
        SELECT g.conversation, g.tm_create, g.medias
        FROM medias m JOIN messages g ON g.conversation = m.conversation AND g.tm_create = m.message_stamp
        WHERE m.key = ?1";
    const SQL_CHANGE: &str = "UPDATE messages SET medias = ?3 WHERE conversation = ?1 AND tm_create = ?2";
    let (conversation, stamp, medias): (i64, Timestamp, Text) =
        query::row(tx, SQL, [fetch.key], |row| row.try_into())?;
    // Damaged media show no file, and are not overwritten.
    let mut medias: Vec<Media> = serde_json::from_str(&medias.0).unwrap_or_default();
    let Some(media) = medias.iter_mut().find(|media| media.id == fetch.id) else { return Ok(()) };
    change(media);
    let medias = serde_json::to_string(&medias).map_err(Error::internal)?;
    query::execute(tx, SQL_CHANGE, (conversation, stamp, medias))?;
    messages::touch(tx, (conversation, stamp))
}

fn from_row(row: &Row<'_>) -> Read<FetchJob> {
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
