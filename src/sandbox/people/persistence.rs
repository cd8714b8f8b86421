//! What outlives the process: the channel, the bot, the webhook endpoint and the people, in one JSON file.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::files;
use crate::model::secret::Secret;
use crate::sandbox::people::People;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedState {
    /// The channel.
    pub channel: SavedChannel,
    /// The bot.
    pub bot: SavedBot,
    /// Where webhooks go.
    pub webhook: SavedEndpoint,
    /// Everybody.
    pub people: People,
}

/// A channel of the Messaging API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedChannel {
    /// The number that the console shows.
    pub id: String,
    /// The secret that signs webhooks.
    #[serde(serialize_with = "exposed")]
    pub secret: Secret,
    /// The long-lived channel access token.
    #[serde(serialize_with = "exposed")]
    pub token: Secret,
}

/// The bot as LINE's API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedBot {
    /// The `destination` of every webhook.
    pub user_id: String,
    /// The name with the `@` by which people find it.
    pub basic_id: String,
    /// The name that people see.
    pub display_name: String,
    /// `chat` or `bot`.
    pub chat_mode: String,
    /// `auto` or `manual`.
    pub mark_as_read_mode: String,
}

/// Where webhooks go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedEndpoint {
    /// The address.
    pub endpoint: Option<String>,
    /// The switch "Use webhook".
    pub active: bool,
}

/// What was kept in this file; nothing when there is no such file.
pub fn load(path: &Path) -> Result<Option<SavedState>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, &error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| unusable(path, &error))
}

/// Exchanges the file in one step: a crash leaves the old one or the new one.
pub fn save(path: &Path, kept: &SavedState) -> Result<()> {
    let written = files::replace(path, |file| file.write_all(&serde_json::to_vec_pretty(kept)?));
    written.map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::Unusable(format!("the sandbox cannot use {}: {error}", path.display()))
}

fn exposed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::sandbox::options::Options;
    use crate::sandbox::people::GroupKind;

    fn kept() -> SavedState {
        let mut kept = Options::generate().saved_state();
        kept.people.user_named("Hana").wrote_at = Some(1);
        kept.people.group_named("Family", GroupKind::Group).has_bot = true;
        kept.webhook.endpoint = Some("http://127.0.0.1:1/callback".to_owned());
        kept
    }

    #[test]
    fn what_is_kept_is_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.json");
        let kept = kept();

        assert_eq!(load(&path).unwrap(), None);
        save(&path, &kept).unwrap();
        save(&path, &kept).unwrap();

        assert_eq!(load(&path).unwrap(), Some(kept));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_reported_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.json");
        fs::write(&path, "{").unwrap();

        assert!(matches!(load(&path), Err(Error::Unusable(_))));

        assert_eq!(fs::read(&path).unwrap(), b"{");
    }
}
