//! People: they are created, write, press buttons, block and unblock the bot.

use actix_web::web::{Data, Json, Path, ThinData};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::timestamp::Timestamp;
use crate::net;
use crate::sandbox::control::{emit_and_notify, notify};
use crate::sandbox::line::events::{self, UserMessage};
use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::people::{Friendship, User};
use crate::sandbox::platform::Platform;
use crate::sandbox::records::contents::SampleContent;

/// LINE's apps allow no more images at once.
const ALBUM_IMAGES_MAX: usize = 50;
/// An upper bound far above LINE's limit, which is reportedly 1 GB per file.
const CONTENT_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// A new person.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    name: String,
    #[serde(default = "yes")]
    follow: bool,
}

/// Changes to a person that cause no event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    friendship: Option<Friendship>,
    picture_url: Option<String>,
    status_message: Option<String>,
    language: Option<String>,
}

/// A text that a person sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SayRequest {
    text: String,
    group: Option<String>,
    quoted_message_id: Option<String>,
    mention: Option<Value>,
}

/// Any message that a person sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    message: Value,
    group: Option<String>,
    content_base64: Option<String>,
    content_type: Option<String>,
    content_size: Option<u64>,
}

/// Images that a person sends together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Album {
    images: usize,
    group: Option<String>,
    #[serde(default)]
    shuffle: bool,
}

/// An edit of a text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    message_id: String,
    text: String,
}

/// A message that a person unsends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsend {
    message_id: String,
}

/// A button that a person taps.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postback {
    data: String,
    params: Option<Value>,
    group: Option<String>,
}

/// `GET /sandbox/users`
pub async fn list(platform: Data<Platform>) -> Json<Vec<User>> {
    Json(platform.with(|state| state.people().users().cloned().collect()))
}

/// `POST /sandbox/users`: an existing name refers to that person, and nothing happens.
pub async fn create(
    body: Json<CreateUser>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    if body.name.is_empty() {
        return Err(Refusal::bad_request("the name must not be empty"));
    }
    let is_known = platform.with(|state| state.people().user(&body.name).is_some());
    let user = platform.with(|state| state.people_mut().user_named(&body.name).clone());
    if is_known || !body.follow {
        return Ok(Json(json!({ "user": user })));
    }
    let emitted = platform.with(|state| events::follow(state, &user.id, Timestamp::now()))?;
    let Json(mut response) = notify(&platform, &client, emitted).await;
    response["user"] = json!(platform.with(|state| state.people().user(&user.id).cloned()));
    Ok(Json(response))
}

/// `PATCH /sandbox/users/{user}`
pub async fn change(
    user: Path<String>,
    body: Json<ChangeUser>,
    platform: Data<Platform>,
) -> Result<Json<User>, Refusal> {
    let change = body.into_inner();
    platform.with(|state| {
        let found = state.people_mut().user_mut(&user);
        let user = found.ok_or_else(|| Refusal::not_found("user", &user))?;
        user.friendship = change.friendship.unwrap_or(user.friendship);
        user.picture_url = change.picture_url.or(user.picture_url.take());
        user.status_message = change.status_message.or(user.status_message.take());
        user.language = change.language.or(user.language.take());
        Ok(Json(user.clone()))
    })
}

/// `POST /sandbox/users/{user}/say`
pub async fn say(
    user: Path<String>,
    body: Json<SayRequest>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    let mut message = json!({ "type": "text", "text": body.text });
    if let Some(id) = &body.quoted_message_id {
        message["quotedMessageId"] = json!(id);
    }
    if let Some(mention) = &body.mention {
        message["mention"] = mention.clone();
    }
    let sent = UserMessage { user: &user, group: body.group.as_deref(), message, content: None };
    emit_and_notify(&platform, &client, |state, now| events::write(state, sent, now)).await
}

/// `POST /sandbox/users/{user}/send`
pub async fn send(
    user: Path<String>,
    body: Json<Send>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    let content = content(&body)?;
    let Send { message, group, .. } = body.into_inner();
    let sent = UserMessage { user: &user, group: group.as_deref(), message, content };
    emit_and_notify(&platform, &client, |state, now| events::write(state, sent, now)).await
}

/// `POST /sandbox/users/{user}/album`: sends one webhook after the other, as LINE has no event for an album.
pub async fn album(
    user: Path<String>,
    body: Json<Album>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    if !(1..=ALBUM_IMAGES_MAX).contains(&body.images) {
        return Err(Refusal::bad_request(format!("an album must have 1 to {ALBUM_IMAGES_MAX} images")));
    }
    let chat = (user.as_str(), body.group.as_deref());
    let album = (body.images, body.shuffle);
    let emitted = platform.with(|state| events::album(state, chat, album, Timestamp::now()))?;
    let mut outcomes = Vec::new();
    for emitted in emitted {
        outcomes.push(notify(&platform, &client, emitted).await.into_inner());
    }
    Ok(Json(json!({ "images": outcomes })))
}

/// `POST /sandbox/users/{user}/follow`
pub async fn follow(
    user: Path<String>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    emit_and_notify(&platform, &client, |state, now| events::follow(state, &user, now)).await
}

/// `POST /sandbox/users/{user}/block`
pub async fn block(
    user: Path<String>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    emit_and_notify(&platform, &client, |state, now| events::block(state, &user, now)).await
}

/// `POST /sandbox/users/{user}/edit`
pub async fn edit(
    user: Path<String>,
    body: Json<Edit>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    let change = (body.message_id.as_str(), body.text.as_str());
    emit_and_notify(&platform, &client, |state, now| events::edit(state, &user, change, now)).await
}

/// `POST /sandbox/users/{user}/unsend`
pub async fn unsend(
    user: Path<String>,
    body: Json<Unsend>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    emit_and_notify(&platform, &client, |state, now| events::unsend(state, &user, &body.message_id, now))
        .await
}

/// `POST /sandbox/users/{user}/postback`
pub async fn postback(
    user: Path<String>,
    body: Json<Postback>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    let mut postback = json!({ "data": body.data });
    if let Some(params) = &body.params {
        postback["params"] = params.clone();
    }
    let chat = (user.as_str(), body.group.as_deref());
    emit_and_notify(&platform, &client, |state, now| events::postback(state, chat, &postback, now)).await
}

/// The content of the message: the given one or else a sample, padded to the requested size.
fn content(send: &Send) -> Result<Option<SampleContent>, Refusal> {
    if send.content_base64.is_none() && send.content_type.is_none() && send.content_size.is_none() {
        return Ok(None);
    }
    let kind = send.message["type"].as_str().unwrap_or_default();
    let mut content = match &send.content_base64 {
        None => SampleContent::sample(kind),
        Some(text) => {
            let bytes = STANDARD.decode(text).map_err(|error| Refusal::bad_request(error.to_string()))?;
            SampleContent::new(kind, "application/octet-stream", bytes)
        }
    };
    if let Some(content_type) = &send.content_type {
        content.content_type.clone_from(content_type);
    }
    let size = send.content_size.unwrap_or(content.size());
    if size > CONTENT_BYTES_MAX {
        return Err(Refusal::bad_request(format!("the content must have at most {CONTENT_BYTES_MAX} bytes")));
    }
    Ok(Some(content.sized(size)))
}

const fn yes() -> bool {
    true
}
