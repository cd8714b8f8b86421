//! Erasing every trace of a chat or of a person: rows at once, and the words with which its traces can be looked for.

use rusqlite::types::{FromSql, FromSqlResult, ValueRef};
use rusqlite::{OptionalExtension, Params};

use crate::error::{Error, Resource, Result};
use crate::model::chat::LineId;
use crate::model::id::{ConversationId, MediaId};
use crate::model::timestamp::Timestamp;
use crate::store::damage::Text;
use crate::store::transaction::Transaction;
use crate::store::{conversations, events, forget, messages, quotes, uploads};

/// Who or what is erased.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A conversation of any kind, with all that was said in it.
    Conversation(ConversationId),
    /// A person: the chats with them, and what they said in groups.
    User(LineId),
}

/// What was erased.
#[derive(Debug, Clone, Default)]
pub struct Erased {
    /// Conversations.
    pub conversations: u64,
    /// Messages.
    pub messages: u64,
    /// Events of the journal that have lost what they said.
    pub events: u64,
    /// Files that are now to be removed from the folder.
    pub files: Vec<MediaId>,
    /// With what its traces are looked for.
    pub words: Words,
}

/// Ids and texts that were in the rows.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Ids in their stored form, which nothing else has: they must be nowhere.
    pub ids: Vec<[u8; 16]>,
    /// LINE's ids, which must be nowhere either.
    pub own: Vec<String>,
    /// Names and texts, which may also be somebody else's.
    pub shared: Vec<String>,
}

impl Words {
    /// A text that may also be somebody else's. Where it is damaged, other bytes stand in the files: its parts are looked
    /// for.
    fn share(&mut self, Text(text): Text) {
        self.shared.extend(text.split(char::REPLACEMENT_CHARACTER).map(str::to_owned));
    }
}

/// An id as it stands in a row that goes; none where it is damaged.
struct Id(Option<[u8; 16]>);

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(value.as_bytes().ok().and_then(|bytes| bytes.try_into().ok())))
    }
}

/// A conversation that is erased.
struct Chat {
    key: i64,
    account: i64,
    kind: String,
    line_id: String,
}

/// Erases the subject, at once or not at all.
///
/// `NotFound` when there is nothing of it.
pub fn erase(tx: &Transaction<'_>, subject: &Subject) -> Result<Erased> {
    let mut erased = Erased::default();
    match subject {
        Subject::Conversation(id) => {
            if let Some(chat) = by_id(tx, *id)? {
                conversation(tx, &chat, &mut erased)?;
            }
        }
        Subject::User(user) => {
            for chat in with_user(tx, user)? {
                conversation(tx, &chat, &mut erased)?;
            }
            in_groups(tx, user, &mut erased)?;
            erased.words.own.push(user.as_str().to_owned());
        }
    }
    if erased.conversations + erased.messages + erased.events == 0 {
        return Err(Error::NotFound(Resource::Conversation));
    }
    tx.note_erasure();
    Ok(erased)
}

fn by_id(tx: &Transaction<'_>, id: ConversationId) -> Result<Option<Chat>> {
    const SQL: &str = "SELECT key, account, chat_kind, chat_id FROM conversations WHERE id = ?1";
    Ok(tx.prepare_cached(SQL)?.query_row([id], |row| Ok(chat(row.try_into()?))).optional()?)
}

fn with_user(tx: &Transaction<'_>, user: &LineId) -> Result<Vec<Chat>> {
    const SQL: &str = "
        SELECT key, account, chat_kind, chat_id
        FROM conversations
        WHERE chat_kind = 'user' AND chat_id = ?1";
    let mut statement = tx.prepare_cached(SQL)?;
    let chats = statement.query_map([user], |row| Ok(chat(row.try_into()?)))?;
    Ok(chats.collect::<rusqlite::Result<_>>()?)
}

fn chat((key, account, kind, line_id): (i64, i64, Text, Text)) -> Chat {
    Chat { key, account, kind: kind.0, line_id: line_id.0 }
}

fn conversation(tx: &Transaction<'_>, chat: &Chat, erased: &mut Erased) -> Result<()> {
    const SQL_MESSAGES: &str = "SELECT tm_create FROM messages WHERE conversation = ?1";
    const SQL_NAMES: &str = "SELECT target_name FROM participants WHERE conversation = ?1";
    const SQL_DELETE: [&str; 4] = [
        "DELETE FROM webhook_lanes WHERE conversation = ?1",
        "DELETE FROM lanes WHERE conversation = ?1",
        "DELETE FROM lookups WHERE conversation = ?1",
        "DELETE FROM participants WHERE conversation = ?1",
    ];
    // What is left are pictures of those who take part.
    const SQL_FILES: &str =
        "DELETE FROM medias WHERE conversation = ?1 RETURNING id, filename, source_url, source_preview_url";
    const SQL: &str = "DELETE FROM conversations WHERE key = ?1 RETURNING id, name, detail";
    idempotency_keys(tx, chat.key)?;
    for stamp in column(tx, SQL_MESSAGES, chat.key)? {
        message(tx, chat.account, (chat.key, stamp), erased)?;
    }
    erased.events += journal_of_chat(tx, chat)?;
    for name in column(tx, SQL_NAMES, chat.key)? {
        erased.words.share(name);
    }
    for sql in SQL_DELETE {
        tx.prepare_cached(sql)?.execute([chat.key])?;
    }
    files(tx, SQL_FILES, [chat.key], erased)?;
    events::forget(tx, chat.key, None)?;
    let (id, name, detail): (Id, Text, Text) =
        tx.prepare_cached(SQL)?.query_row([chat.key], |row| row.try_into())?;
    erased.words.ids.extend(id.0);
    // A user may be somewhere else too; a group or room is nowhere else.
    let line_ids = if chat.kind == "user" { &mut erased.words.shared } else { &mut erased.words.own };
    line_ids.push(chat.line_id.clone());
    erased.words.share(name);
    erased.words.share(detail);
    erased.conversations += 1;
    Ok(())
}

/// Forgets the keys of the requests that created what is about to go.
fn idempotency_keys(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM idempotency_keys
        WHERE created_id IN (SELECT id FROM messages WHERE conversation = ?1)
            OR created_id IN (SELECT id FROM medias WHERE conversation = ?1)
            OR created_id IN (
                SELECT id
                FROM message_uploads u JOIN medias ON key = u.media
                WHERE u.conversation = ?1 AND NOT EXISTS (
                    SELECT 1 FROM message_uploads o WHERE o.media = u.media AND o.conversation <> ?1))";
    tx.prepare_cached(SQL)?.execute([conversation])?;
    Ok(())
}

/// What a person said in groups and rooms, that they were there, and every event that mentions them.
fn in_groups(tx: &Transaction<'_>, user: &LineId, erased: &mut Erased) -> Result<()> {
    const SQL: &str = "
        SELECT v.account, m.conversation, m.tm_create
        FROM messages m JOIN conversations v ON v.key = m.conversation
        WHERE m.source_target = ?1";
    const SQL_LOOKUPS: &str = "DELETE FROM lookups WHERE target = ?1";
    const SQL_NAMES: &str =
        "DELETE FROM participants WHERE target = ?1 RETURNING conversation, target_name, picture, present";
    const SQL_FILES: &str =
        "DELETE FROM medias WHERE key = ?1 RETURNING id, filename, source_url, source_preview_url";
    const SQL_JOURNAL: &str = "
        UPDATE webhook_events SET body = NULL, line_message_id = NULL, error = ''
        WHERE instr(body, ?1) > 0 OR instr(error, ?1) > 0";
    let mut statement = tx.prepare_cached(SQL)?;
    let said = statement.query_map([user], |row| row.try_into())?;
    for (account, conversation, stamp) in said.collect::<rusqlite::Result<Vec<(i64, i64, Timestamp)>>>()? {
        message(tx, account, (conversation, stamp), erased)?;
    }
    mentions(tx, user, erased)?;
    tx.prepare_cached(SQL_LOOKUPS)?.execute([user])?;
    let mut statement = tx.prepare_cached(SQL_NAMES)?;
    let names = statement.query_map([user], |row| row.try_into())?;
    let names = names.collect::<rusqlite::Result<Vec<(i64, Text, Option<i64>, i64)>>>()?;
    for (conversation, name, picture, present) in names {
        conversations::count_participants(tx, conversation, -present)?;
        erased.words.share(name);
        files(tx, SQL_FILES, [picture], erased)?;
        conversations::touch(tx, conversation)?;
        events::overwrite(tx, conversation, None)?;
    }
    erased.events += count(tx.prepare_cached(SQL_JOURNAL)?.execute([user])?);
    Ok(())
}

/// Where others have mentioned a person: that somebody is mentioned stays, as the text does.
fn mentions(tx: &Transaction<'_>, user: &LineId, erased: &mut Erased) -> Result<()> {
    const SQL: &str = "
        UPDATE messages SET mentions = replace(mentions, json_quote(?1), 'null')
        WHERE instr(mentions, json_quote(?1)) > 0
        RETURNING (SELECT account FROM conversations v WHERE v.key = conversation), conversation, tm_create";
    let mut statement = tx.prepare_cached(SQL)?;
    let mentioning = statement.query_map([user], |row| row.try_into())?;
    let mentioning = mentioning.collect::<rusqlite::Result<Vec<(i64, i64, Timestamp)>>>()?;
    for (account, conversation, stamp) in mentioning {
        of_another(tx, account, (conversation, stamp), erased)?;
    }
    Ok(())
}

fn message(
    tx: &Transaction<'_>,
    account: i64,
    (conversation, stamp): (i64, Timestamp),
    erased: &mut Erased,
) -> Result<()> {
    const SQL: &str =
        "SELECT id, text, line_id, failure_message FROM messages WHERE conversation = ?1 AND tm_create = ?2";
    const SQL_MEDIAS: &str = "
        DELETE FROM medias WHERE conversation = ?1 AND message_stamp = ?2
        RETURNING id, filename, source_url, source_preview_url";
    const SQL_UPLOAD: &str =
        "DELETE FROM medias WHERE key = ?1 RETURNING id, filename, source_url, source_preview_url";
    const SQL_JOURNAL: &str = "
        UPDATE webhook_events SET body = NULL, line_message_id = NULL, error = ''
        WHERE account = ?1 AND line_message_id = ?2";
    let words = &mut erased.words;
    let (id, text, line_id, failure): (Id, Text, Option<Text>, Option<Text>) =
        tx.prepare_cached(SQL)?.query_row((conversation, stamp), |row| row.try_into())?;
    words.ids.extend(id.0);
    [Some(text), failure].into_iter().flatten().for_each(|text| words.share(text));
    files(tx, SQL_MEDIAS, (conversation, stamp), erased)?;
    for upload in uploads::release(tx, (conversation, stamp))? {
        files(tx, SQL_UPLOAD, [upload], erased)?;
    }
    let quoting = quotes::quoting(tx, (conversation, stamp))?;
    quotes::forget(tx, conversation, &quoting)?;
    forget::message(tx, account, (conversation, stamp))?;
    for quoting in quoting {
        of_another(tx, account, (conversation, quoting), erased)?;
    }
    if let Some(Text(line_id)) = line_id {
        erased.events += count(tx.prepare_cached(SQL_JOURNAL)?.execute((account, &line_id))?);
        erased.words.own.push(line_id);
    }
    erased.messages += 1;
    Ok(())
}

/// A message of somebody else, which has referred to what is erased: customers are told, no event tells it any more, and
/// LINE's own words for it go.
fn of_another(
    tx: &Transaction<'_>,
    account: i64,
    (conversation, stamp): (i64, Timestamp),
    erased: &mut Erased,
) -> Result<()> {
    const SQL_JOURNAL: &str = "
        UPDATE webhook_events SET body = NULL, error = ''
        WHERE account = ?1 AND body IS NOT NULL AND line_message_id = (
            SELECT line_id FROM messages WHERE conversation = ?2 AND tm_create = ?3)";
    messages::touch(tx, (conversation, stamp))?;
    events::overwrite(tx, conversation, Some(stamp))?;
    erased.events += count(tx.prepare_cached(SQL_JOURNAL)?.execute((account, conversation, stamp))?);
    Ok(())
}

/// Deletes the rows of files. What is on disk is to be removed too.
fn files(tx: &Transaction<'_>, sql: &str, values: impl Params, erased: &mut Erased) -> Result<()> {
    let mut statement = tx.prepare_cached(sql)?;
    for file in statement.query_map(values, |row| row.try_into())? {
        let (id, filename, url, preview_url): (Id, Text, Option<Text>, Option<Text>) = file?;
        // Of a row that does not name its file, the worker for media finds the file.
        erased.files.extend(id.0.map(MediaId::from_bytes));
        erased.words.ids.extend(id.0);
        for text in [Some(filename), url, preview_url].into_iter().flatten() {
            erased.words.share(text);
        }
    }
    Ok(())
}

/// Empties the events of a chat that belong to no message, or whose message is not there any more, and those that can only
/// be seen to mention it.
fn journal_of_chat(tx: &Transaction<'_>, chat: &Chat) -> Result<u64> {
    const SQL: &str = "
        UPDATE webhook_events SET body = NULL, line_message_id = NULL, error = ''
        WHERE account = ?1 AND instr(body, ?3) > 0 AND CASE
            WHEN NOT json_valid(body) THEN 1
            WHEN ?2 = 'user' THEN json_extract(body, '$.source.userId') = ?3
                AND json_extract(body, '$.source.groupId') IS NULL AND json_extract(body, '$.source.roomId') IS NULL
            WHEN ?2 = 'group' THEN json_extract(body, '$.source.groupId') = ?3
            ELSE json_extract(body, '$.source.roomId') = ?3 END";
    Ok(count(tx.prepare_cached(SQL)?.execute((chat.account, &chat.kind, &chat.line_id))?))
}

fn column<T: FromSql>(tx: &Transaction<'_>, sql: &str, key: i64) -> Result<Vec<T>> {
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map([key], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
