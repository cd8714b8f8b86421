//! `kaiwa erase`.

use clap::{ArgGroup, Args};
use serde_json::json;

use crate::admin::erasure::{Done, FIRST, Whom};
use crate::admin::operation::AdminOperation;
use crate::command::settings::CommonArguments;
use crate::command::target::Target;
use crate::command::terminal::confirmation::Confirmation;
use crate::command::terminal::words::counted;
use crate::command::terminal::{output, progress};
use crate::error::{Error, Resource, Result};
use crate::model::chats::chat::LineId;
use crate::model::id::ConversationId;
use crate::model::progress::{Unit, advance, begin};
use crate::store::engine::lock::Search;
use crate::store::erasure;
use crate::store::erasure::audit::Proof;

/// Erase every trace of a conversation or of a person, and prove it by searching all files for what was erased;
/// also while the server runs.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("subject").args(["conversation", "user"]).required(true)))]
pub struct Erase {
    #[command(flatten)]
    settings: CommonArguments,
    /// The conversation to erase.
    #[arg(long, value_name = "ID")]
    conversation: Option<ConversationId>,
    /// The person to erase, by LINE user id: the one-to-one chats with them, and what they wrote in groups.
    #[arg(long, value_name = "LINE_ID", value_parser = parse_line_id)]
    user: Option<LineId>,
    #[command(flatten)]
    confirmation: Confirmation,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Erase {
    /// Runs the command. `Unusable` when traces remain in files that only a person can judge.
    pub fn run(self) -> Result<()> {
        let whom = match (self.conversation, &self.user) {
            (Some(conversation), _) => Whom::Conversation(conversation),
            (None, Some(user)) => Whom::User(user.as_str().to_owned()),
            (None, None) => return Err(Error::Unusable("nothing to erase was given".to_owned())),
        };
        let directory = self.settings.load()?.data_directory;
        self.confirmation.ask(&format!(
            "Permanently erase {} in {}?",
            self.subject(),
            directory.display()
        ))?;
        let target = Target::of(&self.settings)?;
        let _search = Search::begin(&directory)?;
        let (erased, proof) = progress::during("erasing", || {
            let mut erased = erase(&target, &whom)?;
            let (config, _lock) = target.close()?;
            let words = std::mem::take(&mut erased.words);
            let proof = erasure::audit::search(&config.data_directory, &config.database_path(), words)?;
            Ok::<_, Error>((erased, proof))
        })?;
        // Also after an earlier attempt that erased the rows and stopped there: then all files were searched for the id alone.
        if erased.is_nothing() && proof.left.is_empty() {
            return Err(Error::NotFound(Resource::Conversation));
        }
        self.report(&erased, &proof)?;
        match proof.left.first_key_value() {
            None => Ok(()),
            Some((path, _)) => Err(Error::Unusable(format!(
                "traces remain in {}, the first of which is {}: delete your own copies; run the command again to erase \
                 what reached the database in the meantime",
                counted_all(proof.left.len(), "file"),
                path.display()
            ))),
        }
    }

    fn subject(&self) -> String {
        match (&self.conversation, &self.user) {
            (Some(conversation), _) => format!("the conversation {conversation}"),
            (None, Some(user)) => format!("every trace of {}", user.as_str()),
            (None, None) => "nothing".to_owned(),
        }
    }

    /// Reports how much was erased, but not what.
    fn report(&self, erased: &Done, proof: &Proof) -> Result<()> {
        let Done { conversations, messages, events, files, .. } = erased;
        let Proof { searched, too_short, elsewhere, left } = proof;
        if self.json {
            let left: Vec<_> = left
                .iter()
                .map(|(path, count)| json!({ "file": path.display().to_string(), "count": count }))
                .collect();
            return output::json(&json!({
                "conversations": conversations, "messages": messages, "events": events, "files": files,
                "searched": searched, "too_short": too_short, "elsewhere": elsewhere, "left": left,
            }));
        }
        output::line(&format!(
            "erased: {}, {}, {}, {}",
            counted(*conversations, "conversation"),
            counted(*messages, "message"),
            counted(*events, "event"),
            counted(*files, "file"),
        ))?;
        output::line(&format!(
            "ids, names and texts searched for: {searched}; traces: in {}; also written by others: {elsewhere}; \
             too short to search for: {too_short}",
            counted_all(left.len(), "file"),
        ))
    }
}

/// Runs all steps even if nothing is left: the log may still contain what an earlier attempt erased.
fn erase(target: &Target, whom: &Whom) -> Result<Done> {
    let (mut erased, mut next) = (Done { words: whom.words(), ..Done::default() }, Some(FIRST));
    begin("erasing", Unit::Pieces, None);
    while let Some(step) = next {
        let done: Done = target.run(AdminOperation::Erase { whom: whom.clone(), step })?;
        advance(done.messages + done.events);
        next = done.next;
        erased.add(done);
    }
    Ok(erased)
}

fn counted_all(count: usize, word: &str) -> String {
    counted(u64::try_from(count).unwrap_or(u64::MAX), word)
}

fn parse_line_id(text: &str) -> Result<LineId, String> {
    LineId::parse(text).ok_or_else(|| "this is not a LINE id".to_owned())
}
