//! What the sandbox prints once it is running: addresses, a token, and the tutorial's calls ready to copy.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use crate::command::sandbox::key;
use crate::command::sandbox::names::{account_id, customer_id, summary_path};
use crate::error::{Error, Result};
use crate::model::id::{AccountId, ConversationId, CustomerId};
use crate::sandbox::platform::Platform;

/// The summary of a running sandbox.
pub struct Greeting {
    /// The part for programs.
    pub summary: GreetingSummary,
    data: PathBuf,
    conversation: ConversationId,
}

/// The one line of `--json`.
#[derive(Serialize)]
pub struct GreetingSummary {
    api: String,
    line: String,
    token: String,
    customer_id: CustomerId,
    account_id: AccountId,
    channel_secret: String,
    data: String,
}

impl Greeting {
    /// Collects the summary.
    pub fn new(
        (data, platform): (&Path, &Platform),
        (api, line): (String, &str),
        token: String,
        conversation: ConversationId,
    ) -> Self {
        let summary = GreetingSummary {
            api,
            line: line.to_owned(),
            token,
            customer_id: customer_id(),
            account_id: account_id(),
            channel_secret: platform.channel().secret.expose().to_owned(),
            data: std::path::absolute(data).unwrap_or(data.to_owned()).display().to_string(),
        };
        Self { summary, data: data.to_owned(), conversation }
    }

    /// Saves the summary where other commands find it.
    pub fn save(&self) -> Result<()> {
        let text = serde_json::to_string(&self.summary).map_err(Error::internal)?;
        key::write_private(&summary_path(&self.data), &text)
    }

    /// The text for people.
    pub fn text(&self) -> String {
        let GreetingSummary { api, line, token, data, .. } = &self.summary;
        let program = std::env::args_os().next().unwrap_or_else(|| "kaiwa".into());
        let program = program.display();
        let mut text = format!(
            "kaiwa is running. Stop it with Ctrl-C; its data stays in {data}\n\n\
             API    {api}\n\
             LINE   {line}  (the sandbox's own; its control API is described in docs/SANDBOX.md)\n\
             token  {token}\n\n\
             Alice has written \"hello\". To write as her or as someone else:\n\n\
             {program} sandbox say \"hello\" --as Alice{}\n\n\
             The five calls of the tutorial:\n",
            self.data_argument(),
        );
        for (title, call) in self.calls() {
            write!(text, "\n# {title}\n{call}\n").expect("writing to a String cannot fail");
        }
        text
    }

    fn data_argument(&self) -> String {
        let is_default = self.data.as_os_str() == "kaiwa-sandbox";
        if is_default { String::new() } else { format!(" --data {}", shell_quoted(self.data.as_os_str())) }
    }

    /// The calls of the tutorial, with values filled in.
    fn calls(&self) -> [(&'static str, String); 5] {
        let GreetingSummary { api, token, .. } = &self.summary;
        let base = format!("{api}/v1.0/conversations");
        let one = format!("{base}/{}", self.conversation);
        let get = |url: &str| format!("curl --location --request GET '{url}?token={token}'");
        let post = |url: &str, indent: &str, body: &str| {
            format!(
                "curl --location --request POST '{url}?token={token}' \\\n\
                 {indent}--header 'Content-Type: application/json' \\\n\
                 {indent}--data-raw '{{\n{indent}    {body}\n{indent}}}'"
            )
        };
        let text = r#""text": "hi, this is test message. Good to see you. hahaha :)""#;
        [
            ("Setup the conversation", post(&format!("{base}/setup"), "", r#""reference_type": "line""#)),
            ("Get list of conversations", get(&base)),
            ("Get detail of conversation", get(&one)),
            ("Send a message to the conversation", post(&format!("{one}/messages"), "    ", text)),
            ("Get list of conversation messages", get(&format!("{one}/messages"))),
        ]
    }
}

/// Quotes a word for a shell, whatever bytes it contains.
fn shell_quoted(word: &OsStr) -> String {
    if let Some(text) = word.to_str() {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let escaped = |byte: &u8| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
        b' '..=b'~' => char::from(*byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    format!("$'{}'", word.as_bytes().iter().map(escaped).collect::<String>())
}

/// The summary of LINE's side alone.
pub fn line_only(platform: &Platform, line: &str) -> Value {
    let channel = platform.channel();
    json!({
        "line": line,
        "channel_id": channel.id,
        "channel_secret": channel.secret.expose(),
        "channel_token": channel.token.expose(),
    })
}

/// The summary of LINE's side alone, as text for people.
pub fn line_only_text(summary: &Value) -> String {
    let word = |name: &str| summary[name].as_str().unwrap_or_default().to_owned();
    format!(
        "LINE's side is running; set it as the API base (api.line.me and api-data.line.me) of your bot.\n\n\
         LINE            {}\n\
         channel id      {}\n\
         channel secret  {}\n\
         channel token   {}\n\n\
         Its control API is described in docs/SANDBOX.md",
        word("line"),
        word("channel_id"),
        word("channel_secret"),
        word("channel_token"),
    )
}

/// The address of LINE's side of the sandbox in this directory.
pub fn line_of_running(data: &Path) -> Result<String> {
    let path = summary_path(data);
    let missing =
        |_| Error::Unusable(format!("no sandbox has run in {}; start `kaiwa sandbox` first", data.display()));
    let text = std::fs::read_to_string(&path).map_err(missing)?;
    let summary: Value = serde_json::from_str(&text).map_err(Error::internal)?;
    summary["line"].as_str().map(str::to_owned).ok_or_else(|| {
        Error::Unusable(format!("{} does not contain the address of LINE's side", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_name_is_quoted_for_the_shell() {
        for (word, expected) in [
            (b"my data".as_slice(), "'my data'"),
            (b"it's", r"'it'\''s'"),
            ("会話".as_bytes(), "'会話'"),
            (b"\xc6\xfc it's", r"$'\xc6\xfc it\'s'"),
        ] {
            assert_eq!(shell_quoted(OsStr::from_bytes(word)), expected);
        }
    }
}
