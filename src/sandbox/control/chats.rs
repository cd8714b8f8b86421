//! The chats of the sandbox, as the phones show them.

use actix_web::web::{Data, Json, Path, Query, ThinData};
use serde::Deserialize;

use crate::sandbox::people::chats::ChatMessage;
use crate::sandbox::phone::{MediaView, Phone};
use crate::sandbox::platform::Platform;

/// Options for opening a chat.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenChat {
    /// Whether media on other hosts is loaded as well.
    #[serde(default)]
    outside: bool,
}

/// `GET /sandbox/chats/{chat}`: by id, or by the name of a person or group.
pub async fn show(chat: Path<String>, platform: Data<Platform>) -> Json<Vec<ChatMessage>> {
    Json(platform.with(|state| state.chats.messages(state.people().chat_id(&chat))))
}

/// `POST /sandbox/chats/{chat}/open`: the phone loads the media that it has not loaded yet.
pub async fn open(
    chat: Path<String>,
    query: Query<OpenChat>,
    platform: Data<Platform>,
    phone: ThinData<Phone>,
) -> Json<Vec<MediaView>> {
    let chat = platform.with(|state| state.people().chat_id(&chat).to_owned());
    let missing = platform.with(|state| state.chats.missing(&chat));
    let views = phone.load(missing, query.outside).await;
    Json(platform.with(|state| state.chats.record_views(&chat, views)))
}
