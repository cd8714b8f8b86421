//! Erasing a conversation or a person step by step: the writer is held for a moment at a time, and whoever asks for the steps
//! may end between any two of them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::chats::chat::LineId;
use crate::model::id::ConversationId;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::erasure::subject::{self, ErasureSubject};
use crate::store::erasure::{self, Erased, Words};
use crate::store::files::media_store::MediaStore;

/// Messages, or events of one conversation, in one transaction.
const MESSAGES: usize = 100;

/// Events of the journal in one transaction.
const EVENTS: usize = 500;

/// Groups in one transaction: each is told to its customer anew.
const GROUPS: usize = 4;

/// Who or what is erased, as it travels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    /// A conversation of any kind.
    Conversation(ConversationId),
    /// LINE's id of a person.
    User(String),
}

/// Where an erasure goes on. What comes to the journal while it goes on is looked at in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// With events of the journal behind this one.
    Journal(i64),
    /// With the chats of the subject; the journal is done up to this event.
    Chats(i64),
    /// With what a person said in groups behind this conversation and time, and what others said of them there.
    Groups(i64, (i64, i64)),
    /// With the groups in which the person is.
    Memberships(i64),
    /// With the log of the database.
    Log,
}

/// What one step has done.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// Conversations that were erased.
    pub conversations: u64,
    /// Messages that were erased.
    pub messages: u64,
    /// Events of the journal that have lost what they said.
    pub events: u64,
    /// Groups that the person was in, and messages of others that mentioned them.
    pub references: u64,
    /// Files that were removed.
    pub files: u64,
    /// With what the traces of all that are looked for.
    pub words: Words,
    /// What is to be done next; nothing once everything is erased.
    pub next: Option<Step>,
}

/// The first step.
pub const FIRST: Step = Step::Journal(0);

/// Does one step. Waits for the disk: not for a thread that answers requests.
pub fn step(store: &Store, folder: &MediaStore, whom: &Whom, step: Step, now: Timestamp) -> Result<Done> {
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
        folder.remove(*file).map_err(Error::internal)?;
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
    /// Adds what a further step has done.
    pub fn add(&mut self, done: Self) {
        self.conversations += done.conversations;
        self.messages += done.messages;
        self.events += done.events;
        self.references += done.references;
        self.files += done.files;
        self.words.extend(done.words);
    }

    /// Whether nothing was there to be erased.
    pub fn is_nothing(&self) -> bool {
        self.conversations + self.messages + self.events + self.references == 0
    }
}

impl Whom {
    /// The id by which it was named: its traces are looked for even when nothing else is known any more.
    pub fn words(&self) -> Words {
        match self {
            Self::Conversation(id) => Words { ids: vec![*id.as_bytes()], ..Words::default() },
            Self::User(id) => Words { own: vec![id.clone()], ..Words::default() },
        }
    }

    fn subject(&self) -> Result<ErasureSubject> {
        let unknown = || Error::Unusable("this is no id of LINE's".to_owned());
        match self {
            Self::Conversation(id) => Ok(ErasureSubject::Conversation(*id)),
            Self::User(id) => LineId::parse(id).map(ErasureSubject::User).ok_or_else(unknown),
        }
    }
}
