//! Chats as the phones show them.

use actix_web::web::{Data, Json, Path, Query, ThinData};
use serde::Deserialize;

use crate::sandbox::people::chats::ChatMessage;
use crate::sandbox::phone::{Phone, ViewedMessage};
use crate::sandbox::platform::Platform;

/// How a chat is opened.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenChat {
    /// Whether addresses outside of this machine are asked too.
    #[serde(default)]
    outside: bool,
}

/// `GET /sandbox/chats/{chat}`: by id, or by the name of a person or group.
pub async fn show(chat: Path<String>, platform: Data<Platform>) -> Json<Vec<ChatMessage>> {
    Json(platform.with(|state| state.chats.messages(state.people().chat_id(&chat))))
}

/// `POST /sandbox/chats/{chat}/open`: the phone loads what it has not loaded yet.
pub async fn open(
    chat: Path<String>,
    query: Query<OpenChat>,
    platform: Data<Platform>,
    phone: ThinData<Phone>,
) -> Json<Vec<ViewedMessage>> {
    let chat = platform.with(|state| state.people().chat_id(&chat).to_owned());
    let missing = platform.with(|state| state.chats.missing(&chat));
    let seen = phone.load(missing, query.outside).await;
    Json(platform.with(|state| state.chats.saw(&chat, seen)))
}
