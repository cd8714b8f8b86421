//! The people and groups of the platform, and whom a message reaches.

pub mod buttons;
pub mod chats;
pub mod persistence;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::model::timestamp::Timestamp;

/// How long someone who is not a friend can be reached after having sent a message.
const STRANGER_REACHABLE: Duration = Duration::from_hours(7 * 24);

/// The relation of a person to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Friendship {
    /// Has never added the bot.
    Stranger,
    /// Has added the bot.
    Friend,
    /// Has blocked the bot.
    Blocked,
    /// Has deleted the LINE account.
    Deleted,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// `U` and 32 hexadecimal digits.
    pub id: String,
    /// The name in the profile.
    pub name: String,
    /// The relation to the bot.
    pub friendship: Friendship,
    /// When the person last sent a message to the bot directly, in milliseconds since 1970.
    pub wrote_at: Option<i64>,
    /// The URL of the profile picture.
    pub picture_url: Option<String>,
    /// The status message of the profile.
    pub status_message: Option<String>,
    /// The language of the person's phone.
    pub language: Option<String>,
}

/// The two kinds of chats with several people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// A group chat.
    Group,
    /// A multi-person chat, which LINE no longer creates.
    Room,
}

/// A chat with several people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// `C` or `R`, and 32 hexadecimal digits.
    pub id: String,
    /// The name of the group.
    pub name: String,
    /// Whether it is a group or a room.
    pub kind: GroupKind,
    /// The ids of its members, without the bot.
    pub members: Vec<String>,
    /// Whether the bot is a member.
    pub has_bot: bool,
    /// The URL of the group's picture.
    pub picture_url: Option<String>,
}

/// All people and groups of the platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, Group>,
}

/// Whom a message reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients {
    /// This many people, each of whom counts against the quota.
    People(u64),
    /// Nobody, which LINE does not report.
    Nobody,
    /// LINE refuses: the bot has no such recipient.
    Unknown,
}

impl People {
    /// The person with this name, created if necessary.
    pub fn user_named(&mut self, name: &str) -> &mut User {
        let id = self.user(name).map_or_else(|| derive_id('U', name), |user| user.id.clone());
        self.users.entry(id.clone()).or_insert_with(|| User {
            id,
            name: name.to_owned(),
            friendship: Friendship::Stranger,
            wrote_at: None,
            picture_url: None,
            status_message: None,
            language: Some("ja".to_owned()),
        })
    }

    /// The person with this id or name.
    pub fn user(&self, id_or_name: &str) -> Option<&User> {
        let users = &self.users;
        users
            .get(id_or_name)
            .or_else(|| users.get(&derive_id('U', id_or_name)))
            .or_else(|| users.values().find(|user| user.name == id_or_name))
    }

    /// The person with this id or name, mutable.
    pub fn user_mut(&mut self, id_or_name: &str) -> Option<&mut User> {
        let id = self.user(id_or_name)?.id.clone();
        self.users.get_mut(&id)
    }

    /// All people, ordered by id.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// The group or room with this name, created if necessary.
    pub fn group_named(&mut self, name: &str, kind: GroupKind) -> &mut Group {
        let letter = if kind == GroupKind::Group { 'C' } else { 'R' };
        let id = self.group(name).map_or_else(|| derive_id(letter, name), |group| group.id.clone());
        self.groups.entry(id.clone()).or_insert_with(|| Group {
            id,
            name: name.to_owned(),
            kind,
            members: Vec::new(),
            has_bot: false,
            picture_url: None,
        })
    }

    /// The group or room with this id or name.
    pub fn group(&self, id_or_name: &str) -> Option<&Group> {
        let groups = &self.groups;
        groups.get(id_or_name).or_else(|| groups.values().find(|group| group.name == id_or_name))
    }

    /// The group or room with this id or name, mutable.
    pub fn group_mut(&mut self, id_or_name: &str) -> Option<&mut Group> {
        let id = self.group(id_or_name)?.id.clone();
        self.groups.get_mut(&id)
    }

    /// All groups and rooms, ordered by id.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The chat id of a group or person by id or name; anything else is returned as it is.
    pub fn chat_id<'a>(&'a self, id_or_name: &'a str) -> &'a str {
        let group = self.group(id_or_name).map(|group| group.id.as_str());
        group.or_else(|| self.user(id_or_name).map(|user| user.id.as_str())).unwrap_or(id_or_name)
    }

    /// Whether this is the id of a friend; multicasts reach friends only.
    pub fn is_friend(&self, id: &str) -> bool {
        self.users.get(id).is_some_and(|user| user.friendship == Friendship::Friend)
    }

    /// Whom a push to this id reaches.
    pub fn recipients(&self, id: &str, now: Timestamp) -> Recipients {
        if let Some(group) = self.groups.get(id).filter(|group| group.has_bot) {
            return Recipients::People(u64::try_from(group.members.len()).unwrap_or(u64::MAX));
        }
        match self.users.get(id) {
            None => Recipients::Unknown,
            Some(user) if user.is_reachable(now) => Recipients::People(1),
            Some(_) => Recipients::Nobody,
        }
    }
}

impl User {
    fn is_reachable(&self, now: Timestamp) -> bool {
        let is_recent = |wrote_at| now.since(Timestamp::from_milliseconds(wrote_at)) <= STRANGER_REACHABLE;
        match self.friendship {
            Friendship::Friend => true,
            Friendship::Stranger => self.wrote_at.is_some_and(is_recent),
            Friendship::Blocked | Friendship::Deleted => false,
        }
    }

    /// Whether the bot may see the profile.
    pub fn is_visible(&self) -> bool {
        match self.friendship {
            Friendship::Friend => true,
            Friendship::Stranger => self.wrote_at.is_some(),
            Friendship::Blocked | Friendship::Deleted => false,
        }
    }
}

/// Whether this is an id in LINE's format: one of these letters and 32 hexadecimal digits.
pub fn is_id(text: &str, letters: &[char]) -> bool {
    let digits = text.strip_prefix(letters).unwrap_or_default();
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digits.len() == 32 && digits.bytes().all(is_digit)
}

/// Derives an id from a name, so that a name has the same id on every platform, as on channels of one
/// provider.
fn derive_id(letter: char, name: &str) -> String {
    let hash = digest(&SHA256, format!("{letter}{name}").as_bytes());
    format!("{letter}{}", HEXLOWER.encode(&hash.as_ref()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_milliseconds(1_700_000_000_000);

    #[test]
    fn a_name_belongs_to_one_person() {
        let mut people = People::default();

        let id = people.user_named("Hana").id.clone();

        assert!(is_id(&id, &['U']));
        assert_eq!(people.user_named("Hana").id, id);
        assert_eq!(people.user(&id), people.user("Hana"));
        assert_eq!(people.user("Ken"), None);
        assert_eq!(people.users().count(), 1);
    }

    #[test]
    fn only_friends_and_recent_senders_are_reached() {
        let mut people = People::default();
        let week_ago = NOW.before(STRANGER_REACHABLE).as_milliseconds();

        for (friendship, wrote_at, expected) in [
            (Friendship::Friend, None, Recipients::People(1)),
            (Friendship::Blocked, Some(week_ago), Recipients::Nobody),
            (Friendship::Deleted, Some(week_ago), Recipients::Nobody),
            (Friendship::Stranger, None, Recipients::Nobody),
            (Friendship::Stranger, Some(week_ago), Recipients::People(1)),
            (Friendship::Stranger, Some(week_ago - 1), Recipients::Nobody),
        ] {
            let user = people.user_named("Hana");
            user.friendship = friendship;
            user.wrote_at = wrote_at;
            let id = user.id.clone();
            assert_eq!(people.recipients(&id, NOW), expected, "{friendship:?} {wrote_at:?}");
        }
        assert_eq!(people.recipients("U00000000000000000000000000000000", NOW), Recipients::Unknown);
    }

    #[test]
    fn a_group_is_reached_while_the_bot_is_in_it() {
        let mut people = People::default();
        let group = people.group_named("Family", GroupKind::Group);
        group.members = vec!["U1".to_owned(), "U2".to_owned(), "U3".to_owned()];
        let id = group.id.clone();

        assert_eq!(people.recipients(&id, NOW), Recipients::Unknown);
        people.group_mut("Family").unwrap().has_bot = true;
        assert_eq!(people.recipients(&id, NOW), Recipients::People(3));
    }

    #[test]
    fn an_id_has_a_letter_and_thirty_two_digits() {
        let digits = "0123456789abcdef0123456789abcdef";

        assert!(is_id(&format!("U{digits}"), &['U', 'C', 'R']));
        for wrong in [
            digits.to_owned(),
            format!("X{digits}"),
            format!("U{digits}0"),
            format!("U{}", digits.to_uppercase()),
        ] {
            assert!(!is_id(&wrong, &['U', 'C', 'R']), "{wrong} was accepted");
        }
    }
}
