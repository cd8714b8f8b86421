//! The tokens of a message, for quoting it and for marking it as read.

use crate::line::signature;
use crate::model::secret::Secret;

/// The token for quoting a message in its chat.
pub fn quote(secret: &Secret, chat: &str, message_id: &str) -> String {
    format!("{message_id}.{}", signature::sign(secret, format!("quote {chat} {message_id}").as_bytes()))
}

/// Whether this token quotes a message of this chat.
pub fn quotes(secret: &Secret, chat: &str, token: &str) -> bool {
    token.split_once('.').is_some_and(|(message_id, _)| quote(secret, chat, message_id) == token)
}

/// The token for marking a message and all before it as read.
pub fn read(secret: &Secret, message_id: &str) -> String {
    format!("{message_id}.{}", signature::sign(secret, format!("read {message_id}").as_bytes()))
}

/// The message that this token marks as read.
pub fn read_message<'a>(secret: &Secret, token: &'a str) -> Option<&'a str> {
    let (message_id, _) = token.split_once('.')?;
    (read(secret, message_id) == token).then_some(message_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_token_is_valid_in_its_chat_only() {
        let secret = Secret::new("secret");

        let token = quote(&secret, "U1", "100");

        assert!(quotes(&secret, "U1", &token));
        assert!(!quotes(&secret, "U2", &token));
        assert!(!quotes(&Secret::new("other"), "U1", &token));
        assert!(!quotes(&secret, "U1", "100"));
    }

    #[test]
    fn a_read_token_identifies_its_message() {
        let secret = Secret::new("secret");

        assert_eq!(read_message(&secret, &read(&secret, "100")), Some("100"));
        assert_eq!(read_message(&secret, &quote(&secret, "U1", "100")), None);
        assert_eq!(read_message(&secret, ""), None);
    }
}
