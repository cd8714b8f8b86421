//! The saved state of a platform: the channel, the bot, the webhook settings and the people, in one JSON
//! file.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::files;
use crate::model::secret::Secret;
use crate::sandbox::people::People;

/// The saved state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedState {
    /// The channel.
    pub channel: SavedChannel,
    /// The bot.
    pub bot: SavedBot,
    /// The webhook settings.
    pub webhook: SavedEndpoint,
    /// All people and groups.
    pub people: People,
}

/// A channel of the Messaging API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedChannel {
    /// The id that LINE's console shows.
    pub id: String,
    /// The secret that signs webhooks.
    #[serde(serialize_with = "exposed")]
    pub secret: Secret,
    /// The long-lived channel access token.
    #[serde(serialize_with = "exposed")]
    pub token: Secret,
}

/// The bot as LINE's API describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedBot {
    /// The `destination` of every webhook.
    pub user_id: String,
    /// The id with the `@` by which people find the bot.
    pub basic_id: String,
    /// The name that people see.
    pub display_name: String,
    /// `chat` or `bot`.
    pub chat_mode: String,
    /// `auto` or `manual`.
    pub mark_as_read_mode: String,
}

/// The webhook settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedEndpoint {
    /// The URL.
    pub endpoint: Option<String>,
    /// The switch "Use webhook" of LINE's console.
    pub active: bool,
}

/// Reads the saved state; `None` if the file does not exist.
pub fn load(path: &Path) -> Result<Option<SavedState>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, &error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| unusable(path, &error))
}

/// Replaces the file atomically: after a crash it has the old or the new contents.
pub fn save(path: &Path, state: &SavedState) -> Result<()> {
    let written = files::replace(path, |file| file.write_all(&serde_json::to_vec_pretty(state)?));
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

    fn state() -> SavedState {
        let mut state = Options::generate().saved_state();
        state.people.user_named("Hana").wrote_at = Some(1);
        state.people.group_named("Family", GroupKind::Group).has_bot = true;
        state.webhook.endpoint = Some("http://127.0.0.1:1/callback".to_owned());
        state
    }

    #[test]
    fn a_saved_state_is_loaded_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.json");
        let state = state();

        assert_eq!(load(&path).unwrap(), None);
        save(&path, &state).unwrap();
        save(&path, &state).unwrap();

        assert_eq!(load(&path).unwrap(), Some(state));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_corrupt_file_is_reported_and_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line.json");
        fs::write(&path, "{").unwrap();

        assert!(matches!(load(&path), Err(Error::Unusable(_))));

        assert_eq!(fs::read(&path).unwrap(), b"{");
    }
}
