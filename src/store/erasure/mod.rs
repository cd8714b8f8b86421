//! Erases every trace of a chat or of a person, in steps, and collects the words to search for traces.
//!
//! What has no index is found by a reader that passes keys to the writer, so that no step blocks the writer for long.

pub mod audit;
pub(in crate::store) mod forget;
pub mod retention;
pub mod subject;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::chats::chat::LineId;
use crate::model::id::{ConversationId, MediaId};
use crate::model::timestamp::Timestamp;
use crate::store::chats::{conversations, messages, participants, quotes};
use crate::store::engine::damage::{Id, Text};
use crate::store::engine::query::{self, Params};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;
use crate::store::erasure::subject::{
    Chat, ErasureSubject, Reference, Spot, by_id, events_of_chat, events_of_user, with_user,
};
use crate::store::events;
use crate::store::files::uploads;
use crate::store::outbox::undeliverable;

/// Result of one step of an erasure.
#[derive(Debug, Clone, Default)]
pub struct Erased {
    /// Number of erased conversations.
    pub conversations: u64,
    /// Number of erased messages.
    pub messages: u64,
    /// Number of webhook events whose body was erased.
    pub events: u64,
    /// Number of groups the person was in, and of messages of others that mentioned them.
    pub references: u64,
    /// Media files that still have to be removed from the media store.
    pub files: Vec<MediaId>,
    /// Words to search for traces.
    pub words: Words,
}

/// Ids and texts that the erased rows contained.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Words {
    /// Our own ids in their stored form. They are unique, so none may be left anywhere.
    pub ids: Vec<[u8; 16]>,
    /// LINE ids, of which none may be left either.
    pub own: Vec<String>,
    /// Names and texts, which may also belong to someone else.
    pub shared: Vec<String>,
}

impl Words {
    /// Adds other words.
    pub fn extend(&mut self, others: Self) {
        self.ids.extend(others.ids);
        self.own.extend(others.own);
        self.shared.extend(others.shared);
    }

    /// The same words without duplicates, in one or more parts of about `bytes_max` bytes.
    pub(super) fn into_parts(mut self, bytes_max: usize) -> Vec<Self> {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.own.sort_unstable();
        self.own.dedup();
        self.shared.sort_unstable();
        self.shared.dedup();
        let ids = self.ids.into_iter().map(|id| Self { ids: vec![id], ..Self::default() });
        let own = self.own.into_iter().map(|id| Self { own: vec![id], ..Self::default() });
        let shared = self.shared.into_iter().map(|text| Self { shared: vec![text], ..Self::default() });
        let (mut parts, mut part, mut bytes) = (Vec::new(), Self::default(), 0);
        for word in ids.chain(own).chain(shared) {
            bytes += word.bytes();
            part.extend(word);
            if bytes >= bytes_max {
                parts.push(std::mem::take(&mut part));
                bytes = 0;
            }
        }
        parts.push(part);
        parts
    }

    fn bytes(&self) -> usize {
        let texts = self.own.iter().chain(&self.shared).map(String::len);
        self.ids.len() * size_of::<[u8; 16]>() + texts.sum::<usize>()
    }

    /// Adds a text that may also belong to someone else. If it is damaged, the files contain other bytes in its damaged places:
    /// the parts between them are searched for.
    fn share(&mut self, Text(text): Text) {
        self.shared.extend(text.split(char::REPLACEMENT_CHARACTER).map(str::to_owned));
    }
}

/// Removes the content of these events of the journal.
pub fn empty_events(tx: &Transaction<'_>, events: &[i64]) -> Result<Erased> {
    const SQL: &str =
        "UPDATE webhook_events SET body = NULL, line_message_id = NULL, error = '' WHERE key = ?1";
    let mut erased = Erased::default();
    for event in events {
        erased.events += count(query::execute(tx, SQL, [event])?);
    }
    tx.note_erasure();
    Ok(erased)
}

/// Erases up to `limit` items of the subject's chats. Returns whether nothing of them is left. Webhook events up to
/// `journal` must have been cleared already.
pub fn chats(
    tx: &Transaction<'_>,
    subject: &ErasureSubject,
    (journal, limit): (i64, usize),
) -> Result<(Erased, bool)> {
    let mut erased = Erased::default();
    tx.note_erasure();
    let chats = match subject {
        ErasureSubject::Conversation(id) => by_id(tx, *id)?.into_iter().collect(),
        ErasureSubject::User(user) => with_user(tx, user)?,
    };
    for chat in chats {
        if messages_of(tx, &chat, limit, &mut erased)? || older_events(tx, chat.key, limit)? {
            return Ok((erased, false));
        }
        let late = events_of_chat(tx, &chat, (journal, usize::MAX))?;
        erased.events += empty_events(tx, &late)?.events;
        conversation(tx, &chat, &mut erased)?;
    }
    Ok((erased, true))
}

/// Erases a person's messages in groups, and mentions of them by others.
pub fn references(tx: &Transaction<'_>, user: &LineId, references: &[Reference]) -> Result<Erased> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = ?1 AND tm_create = ?2)";
    let mut erased = Erased::default();
    for Reference { account, spot, is_own } in references {
        // It may be gone by now.
        let is_there: bool = query::value(tx, SQL, *spot)?;
        match is_there {
            true if *is_own => message(tx, *account, *spot, &mut erased)?,
            true => mention(tx, user, (*account, *spot), &mut erased)?,
            false => {}
        }
    }
    tx.note_erasure();
    Ok(erased)
}

/// Erases that a person was a member of these groups.
pub fn memberships(tx: &Transaction<'_>, user: &LineId, groups: &[i64]) -> Result<Erased> {
    let mut erased = Erased::default();
    for group in groups {
        membership(tx, user, *group, &mut erased)?;
    }
    tx.note_erasure();
    Ok(erased)
}

/// Completes the erasure of a person: clears the webhook events received in the meantime.
pub fn end(tx: &Transaction<'_>, user: &LineId, journal: i64) -> Result<Erased> {
    let late = events_of_user(tx, user, (journal, usize::MAX))?;
    let mut erased = empty_events(tx, &late)?;
    events::forget_lost(tx, user.as_str())?;
    erased.words.own.push(user.as_str().to_owned());
    Ok(erased)
}

/// Erases the oldest messages of a chat. Returns whether there may be more.
fn messages_of(tx: &Transaction<'_>, chat: &Chat, limit: usize, erased: &mut Erased) -> Result<bool> {
    const SQL: &str = "SELECT tm_create FROM messages WHERE conversation = ?1 ORDER BY tm_create LIMIT ?2";
    idempotency_keys(tx, chat.key, limit)?;
    let stamps: Vec<Timestamp> = query::values(tx, SQL, (chat.key, Limit(limit)))?;
    for stamp in &stamps {
        message(tx, chat.account, (chat.key, *stamp), erased)?;
    }
    Ok(stamps.len() == limit)
}

/// Removes the oldest events about a conversation itself. Returns whether there may be more. The newest one stays as long as
/// the conversation does.
fn older_events(tx: &Transaction<'_>, conversation: i64, limit: usize) -> Result<bool> {
    const SQL: &str = "
        DELETE FROM events
        WHERE sequence IN (
            SELECT sequence
            FROM events
            WHERE conversation = ?1 AND message_stamp IS NULL AND sequence < (
                SELECT max(sequence) FROM events WHERE conversation = ?1 AND message_stamp IS NULL)
            ORDER BY sequence
            LIMIT ?2)";
    Ok(query::execute(tx, SQL, (conversation, Limit(limit)))? == limit)
}

/// Erases what is left of a chat without messages.
fn conversation(tx: &Transaction<'_>, chat: &Chat, erased: &mut Erased) -> Result<()> {
    const SQL_NAMES: &str = "SELECT target_name FROM participants WHERE conversation = ?1";
    // Only profile pictures of participants are left.
    const SQL_FILES: &str =
        "DELETE FROM medias WHERE conversation = ?1 RETURNING id, filename, source_url, source_preview_url";
    const SQL: &str = "DELETE FROM conversations WHERE key = ?1 RETURNING id, name, detail";
    for name in query::values(tx, SQL_NAMES, [chat.key])? {
        erased.words.share(name);
    }
    rows_of(tx, chat.key)?;
    files(tx, SQL_FILES, [chat.key], erased)?;
    let (id, name, detail): (Id, Text, Text) = query::row(tx, SQL, [chat.key], |row| row.try_into())?;
    erased.words.ids.extend(id.0);
    if let Some(id) = id.0 {
        events::forget_lost(tx, &ConversationId::from_bytes(id).to_string())?;
    }
    // A user may also be in other chats; a group or room exists only here.
    let line_ids = if chat.kind == "user" { &mut erased.words.shared } else { &mut erased.words.own };
    line_ids.push(chat.line_id.clone());
    erased.words.share(name);
    erased.words.share(detail);
    erased.conversations += 1;
    Ok(())
}

/// Deletes all rows that refer to a conversation, including orphans that damage has separated from their message.
fn rows_of(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL_DELETE: [&str; 8] = [
        "DELETE FROM deliveries WHERE conversation = ?1",
        "DELETE FROM sent_ids WHERE conversation = ?1",
        "DELETE FROM message_uploads WHERE conversation = ?1",
        "DELETE FROM webhook_deliveries WHERE conversation = ?1",
        "DELETE FROM webhook_lanes WHERE conversation = ?1",
        "DELETE FROM lanes WHERE conversation = ?1",
        "DELETE FROM lookups WHERE conversation = ?1",
        "DELETE FROM participants WHERE conversation = ?1",
    ];
    events::forget_all(tx, conversation)?;
    for sql in SQL_DELETE {
        query::execute(tx, sql, [conversation])?;
    }
    Ok(())
}

/// Deletes the idempotency keys of requests that created what is about to be erased: the oldest messages, and media.
fn idempotency_keys(tx: &Transaction<'_>, conversation: i64, limit: usize) -> Result<()> {
    const SQL: &str = "
        DELETE FROM idempotency_keys
        WHERE created_id IN (SELECT id FROM messages WHERE conversation = ?1 ORDER BY tm_create LIMIT ?2)
            OR created_id IN (SELECT id FROM medias WHERE conversation = ?1)
            OR created_id IN (
                SELECT id
                FROM message_uploads u JOIN medias ON key = u.media
                WHERE u.conversation = ?1 AND NOT EXISTS (
                    SELECT 1 FROM message_uploads o WHERE o.media = u.media AND o.conversation <> ?1))";
    query::execute(tx, SQL, (conversation, Limit(limit)))?;
    Ok(())
}

/// Erases the membership of a person in a group or room, current or former.
fn membership(tx: &Transaction<'_>, user: &LineId, group: i64, erased: &mut Erased) -> Result<()> {
    const SQL_LOOKUP: &str = "DELETE FROM lookups WHERE conversation = ?1 AND target = ?2";
    const SQL: &str = "
        DELETE FROM participants WHERE conversation = ?1 AND target = ?2
        RETURNING target_name, picture, present";
    const SQL_FILES: &str =
        "DELETE FROM medias WHERE key = ?1 RETURNING id, filename, source_url, source_preview_url";
    query::execute(tx, SQL_LOOKUP, (group, user))?;
    let gone = query::optional_row(tx, SQL, (group, user), |row| row.try_into())?;
    let Some(gone) = gone else { return Ok(()) };
    let (name, picture, present): (Text, Option<i64>, i64) = gone;
    erased.references += 1;
    participants::count_participants(tx, group, -present)?;
    erased.words.share(name);
    files(tx, SQL_FILES, [picture], erased)?;
    conversations::touch(tx, group)?;
    events::overwrite(tx, group, None)
}

/// Erases who is mentioned in someone else's message. That someone is mentioned stays, and so does the text.
fn mention(
    tx: &Transaction<'_>,
    user: &LineId,
    (account, (conversation, stamp)): (i64, Spot),
    erased: &mut Erased,
) -> Result<()> {
    const SQL: &str = "
        UPDATE messages SET mentions = replace(mentions, json_quote(?1), 'null')
        WHERE conversation = ?2 AND tm_create = ?3";
    erased.references += count(query::execute(tx, SQL, (user, conversation, stamp))?);
    undeliverable::give_up(tx, (conversation, stamp))?;
    of_another(tx, account, (conversation, stamp), erased)
}

/// Erases a message.
fn message(
    tx: &Transaction<'_>,
    account: i64,
    (conversation, stamp): Spot,
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
        query::row(tx, SQL, (conversation, stamp), |row| row.try_into())?;
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
        erased.events += count(query::execute(tx, SQL_JOURNAL, (account, &line_id))?);
        erased.words.own.push(line_id);
    }
    erased.messages += 1;
    Ok(())
}

/// Updates someone else's message that referred to what is erased: customers are notified, its events are overwritten, and
/// the body of its webhook event is cleared.
fn of_another(
    tx: &Transaction<'_>,
    account: i64,
    (conversation, stamp): Spot,
    erased: &mut Erased,
) -> Result<()> {
    const SQL_JOURNAL: &str = "
        UPDATE webhook_events SET body = NULL, error = ''
        WHERE account = ?1 AND body IS NOT NULL AND line_message_id = (
            SELECT line_id FROM messages WHERE conversation = ?2 AND tm_create = ?3)";
    messages::touch(tx, (conversation, stamp))?;
    events::overwrite(tx, conversation, Some(stamp))?;
    erased.events += count(query::execute(tx, SQL_JOURNAL, (account, conversation, stamp))?);
    Ok(())
}

/// Deletes the rows of media and lists their files for removal.
fn files(tx: &Transaction<'_>, sql: &'static str, values: impl Params, erased: &mut Erased) -> Result<()> {
    let files: Vec<(Id, Text, Option<Text>, Option<Text>)> =
        query::rows(tx, sql, values, |row| row.try_into())?;
    for (id, filename, url, preview_url) in files {
        // If the row does not give an id, the media worker finds the orphaned file.
        erased.files.extend(id.0.map(MediaId::from_bytes));
        erased.words.ids.extend(id.0);
        for text in [Some(filename), url, preview_url].into_iter().flatten() {
            erased.words.share(text);
        }
    }
    Ok(())
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
