//! `kaiwa erase`.

use clap::{ArgGroup, Args};
use serde_json::json;

use crate::command::confirmation::Confirmation;
use crate::command::settings::Settings;
use crate::command::words::{counted, counted_list};
use crate::command::{output, progress};
use crate::error::{Error, Result};
use crate::model::chat::LineId;
use crate::model::id::ConversationId;
use crate::model::timestamp::Timestamp;
use crate::store::erasure::{self, Erased, Subject};
use crate::store::folder::Folder;
use crate::store::lock::Lock;
use crate::store::traces::{self, Proof};

/// Erases every trace of a conversation or of a person, and proves it by searching all files for what was erased. The
/// server must not be running.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("subject").args(["conversation", "user"]).required(true)))]
pub struct Erase {
    #[command(flatten)]
    settings: Settings,
    /// The conversation to erase.
    #[arg(long, value_name = "ID")]
    conversation: Option<ConversationId>,
    /// The person to erase, by LINE's id: the chats with them, and what they said in groups.
    #[arg(long, value_name = "LINE_ID", value_parser = parse_line_id)]
    user: Option<LineId>,
    #[command(flatten)]
    confirmation: Confirmation,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Erase {
    /// Runs the command. `Unusable` when traces are left in files that only a person can judge.
    pub fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        let database = config.database_path();
        let subject = match (self.conversation, self.user.clone()) {
            (Some(conversation), _) => Subject::Conversation(conversation),
            (None, Some(user)) => Subject::User(user),
            (None, None) => return Err(Error::Unusable("nothing was named".to_owned())),
        };
        let folder = config.data_directory.display();
        self.confirmation.ask(&format!("Erase {} in {folder} for ever?", self.named()))?;
        let store = self.settings.store()?;
        let folder = Folder::open(&config.data_directory)?;
        let erased = store.write_blocking(Timestamp::now(), move |tx| erasure::erase(tx, &subject))?;
        // Closing it empties the log; nobody else may fill it before the search.
        drop(store);
        let _lock = Lock::take(&database)?;
        for file in &erased.files {
            folder.remove(*file).map_err(Error::internal)?;
        }
        let proof = progress::during("searching all files", || {
            traces::search(&config.data_directory, &database, &erased.words)
        })?;
        self.tell(&erased, &proof)?;
        match proof.left.first() {
            None => Ok(()),
            Some((path, _)) => Err(Error::Unusable(format!(
                "traces are left in {}, the first is {}: delete them if they are copies of yours",
                counted_list(&proof.left, "file"),
                path.display()
            ))),
        }
    }

    fn named(&self) -> String {
        match (&self.conversation, &self.user) {
            (Some(conversation), _) => format!("the conversation {conversation}"),
            (None, Some(user)) => format!("every trace of {}", user.as_str()),
            (None, None) => "nothing".to_owned(),
        }
    }

    /// What was erased is not told again: only how much it was.
    fn tell(&self, erased: &Erased, proof: &Proof) -> Result<()> {
        let Erased { conversations, messages, events, files, .. } = erased;
        let Proof { searched, too_short, elsewhere, left } = proof;
        if self.json {
            let left: Vec<_> = left
                .iter()
                .map(|(path, count)| json!({ "file": path.display().to_string(), "count": count }))
                .collect();
            return output::json(&json!({
                "conversations": conversations, "messages": messages, "events": events, "files": files.len(),
                "searched": searched, "too_short": too_short, "elsewhere": elsewhere, "left": left,
            }));
        }
        output::line(&format!(
            "erased: {}, {}, {}, {}",
            counted(*conversations, "conversation"),
            counted(*messages, "message"),
            counted(*events, "event"),
            counted_list(files, "file"),
        ))?;
        output::line(&format!(
            "ids, names and texts that were searched for: {searched}; traces: in {}; also said by others: {elsewhere}; \
             too short to be searched for: {too_short}",
            counted_list(left, "file"),
        ))
    }
}

fn parse_line_id(text: &str) -> Result<LineId, String> {
    LineId::parse(text).ok_or_else(|| "this is no id of LINE's".to_owned())
}
