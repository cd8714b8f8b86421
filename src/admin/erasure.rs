//! Erases a conversation or a person in steps, each of which holds the writer only briefly. The command that
//! requests the steps can be stopped between any two of them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::chats::chat::LineId;
use crate::model::id::ConversationId;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::erasure::subject::{self, ErasureSubject};
use crate::store::erasure::{self, Erased, Words};
use crate::store::files::media_store::MediaStore;

/// Messages, or events of one conversation, per transaction.
const MESSAGES: usize = 100;

/// Events of the journal per transaction.
const EVENTS: usize = 500;

/// Groups per transaction: each causes an event for its customer.
const GROUPS: usize = 4;

/// The subject of an erasure, as sent over the socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// A conversation of any kind.
    Conversation(ConversationId),
    /// LINE's id of a person.
    User(String),
}

/// The next step of an erasure. Events that reach the journal in the meantime are checked at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Events of the journal after this one.
    Journal(i64),
    /// The chats of the subject; the journal is done up to this event.
    Chats(i64),
    /// What the person wrote in groups after this conversation and time, and what others wrote about them
    /// there.
    Groups(i64, (i64, i64)),
    /// The groups of which the person is a member.
    Memberships(i64),
    /// The write-ahead log of the database.
    Log,
}

/// The result of one step.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// The number of erased conversations.
    pub conversations: u64,
    /// The number of erased messages.
    pub messages: u64,
    /// The number of journal events whose content was erased.
    pub events: u64,
    /// The number of the person's groups, and of messages of others that mentioned them.
    pub references: u64,
    /// The number of deleted files.
    pub files: u64,
    /// The strings to search for in the audit.
    pub words: Words,
    /// The next step; `None` once everything is erased.
    pub next: Option<Step>,
}

/// The first step.
pub const FIRST: Step = Step::Journal(0);

/// Runs one step. Blocks on the disk, so it must not run on a thread that serves requests.
pub fn step(
    store: &Store,
    media_store: &MediaStore,
    whom: &Whom,
    step: Step,
    now: Timestamp,
) -> Result<Done> {
    let subject = whom.subject()?;
    let (erased, next) = match (step, subject) {
        (Step::Journal(after), subject) => journal(store, &subject, after, now)?,
        (Step::Chats(journal), subject) => chats(store, subject, journal, now)?,
        (Step::Groups(journal, after), ErasureSubject::User(user)) => {
            groups(store, user, (journal, after), now)?
        }
        (Step::Memberships(journal), ErasureSubject::User(user)) => memberships(store, user, journal, now)?,
        (Step::Groups(..) | Step::Memberships(_), ErasureSubject::Conversation(_)) => {
            (Erased::default(), Some(Step::Log))
        }
        (Step::Log, _) => {
            store.empty_log()?;
            (Erased::default(), None)
        }
    };
    for file in &erased.files {
        media_store.remove(*file).map_err(Error::internal)?;
    }
    let Erased { conversations, messages, events, references, files, words } = erased;
    let files = u64::try_from(files.len()).map_err(Error::internal)?;
    Ok(Done { conversations, messages, events, references, files, words, next })
}

type StepResult = Result<(Erased, Option<Step>)>;

fn journal(store: &Store, subject: &ErasureSubject, after: i64, now: Timestamp) -> StepResult {
    let found = store.reader()?.read(|connection| subject::events(connection, subject, (after, EVENTS)))?;
    let next = if found.keys.len() == EVENTS { Step::Journal } else { Step::Chats }(found.seen);
    let erased = store.write_blocking(now, move |tx| erasure::empty_events(tx, &found.keys))?;
    Ok((erased, Some(next)))
}

fn chats(store: &Store, subject: ErasureSubject, journal: i64, now: Timestamp) -> StepResult {
    let after = match &subject {
        ErasureSubject::Conversation(_) => Step::Log,
        ErasureSubject::User(_) => Step::Groups(journal, (0, 0)),
    };
    let chats = store.write_blocking(now, move |tx| erasure::chats(tx, &subject, (journal, MESSAGES)));
    let (erased, is_done) = chats?;
    Ok((erased, Some(if is_done { after } else { Step::Chats(journal) })))
}

fn groups(store: &Store, user: LineId, (journal, after): (i64, (i64, i64)), now: Timestamp) -> StepResult {
    let after = (after.0, Timestamp::from_microseconds(after.1));
    let reader = store.reader()?;
    let found = reader.read(|connection| subject::references(connection, &user, (after, MESSAGES)))?;
    let last = found.last().filter(|_| found.len() == MESSAGES);
    let next = last.map_or(Step::Memberships(journal), |last| {
        Step::Groups(journal, (last.spot.0, last.spot.1.as_microseconds()))
    });
    let erased = store.write_blocking(now, move |tx| erasure::references(tx, &user, &found))?;
    Ok((erased, Some(next)))
}

fn memberships(store: &Store, user: LineId, journal: i64, now: Timestamp) -> StepResult {
    let found = store.reader()?.read(|connection| subject::memberships(connection, &user, GROUPS))?;
    if !found.is_empty() {
        let erased = store.write_blocking(now, move |tx| erasure::memberships(tx, &user, &found))?;
        return Ok((erased, Some(Step::Memberships(journal))));
    }
    let erased = store.write_blocking(now, move |tx| erasure::end(tx, &user, journal))?;
    Ok((erased, Some(Step::Log)))
}

impl Done {
    /// Adds the result of another step.
    pub fn add(&mut self, done: Self) {
        self.conversations += done.conversations;
        self.messages += done.messages;
        self.events += done.events;
        self.references += done.references;
        self.files += done.files;
        self.words.extend(done.words);
    }

    /// Whether there was nothing to erase.
    pub fn is_nothing(&self) -> bool {
        self.conversations + self.messages + self.events + self.references == 0
    }
}

impl Whom {
    /// The id of the subject: its traces are searched for even if nothing else is known any more.
    pub fn words(&self) -> Words {
        match self {
            Self::Conversation(id) => Words { ids: vec![*id.as_bytes()], ..Words::default() },
            Self::User(id) => Words { own: vec![id.clone()], ..Words::default() },
        }
    }

    fn subject(&self) -> Result<ErasureSubject> {
        let unknown = || Error::Unusable("this is not a LINE id".to_owned());
        match self {
            Self::Conversation(id) => Ok(ErasureSubject::Conversation(*id)),
            Self::User(id) => LineId::parse(id).map(ErasureSubject::User).ok_or_else(unknown),
        }
    }
}
