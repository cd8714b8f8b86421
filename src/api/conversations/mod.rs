//! Conversations: list, read, rename.

pub mod attachments;
pub mod messages;
pub mod outgoing;
pub mod participants;
pub mod read_and_typing;
pub mod retries;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::api::json::JSON_TYPE;
use crate::api::request::body::Json;
use crate::api::request::caller::Caller;
use crate::api::request::field::{Field, checked};
use crate::api::request::query;
use crate::contract::views::{ConversationView, ListBody};
use crate::error::Result;
use crate::model::chats::conversation::ConversationChange;
use crate::model::id::ConversationId;
use crate::runtime::app::App;
use crate::store::chats::conversations;

/// The body of a rename; absent fields stay as they are.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rename {
    name: Field<String>,
    detail: Field<String>,
}

/// A page of the caller's conversations, newest first.
pub async fn list(caller: Caller, request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse> {
    let page = query::page(&request)?;
    let conversations = app
        .shared
        .store
        .read(move |connection| conversations::page(connection, caller.customer, page))
        .await?;
    let mut body = ListBody::default();
    for conversation in &conversations {
        body.push(&ConversationView::from(conversation), conversation.tm_create);
    }
    Ok(HttpResponse::Ok().content_type(JSON_TYPE).body(body.finish()))
}

/// One conversation.
pub async fn get(caller: Caller, id: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse> {
    let id: ConversationId = id.parse()?;
    let conversation = app.reader.read(|connection| conversations::get(connection, caller.customer, id))?;
    Ok(HttpResponse::Ok().json(ConversationView::from(&conversation)))
}

/// Renames a conversation.
pub async fn update(
    caller: Caller,
    id: web::Path<String>,
    Json(rename): Json<Rename>,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let id: ConversationId = id.parse()?;
    let change = ConversationChange {
        name: checked(rename.name.or_empty(), "name")?,
        detail: checked(rename.detail.or_empty(), "detail")?,
    };
    let now = app.shared.clock.now();
    let update =
        app.shared.store.write(now, move |tx| conversations::update(tx, caller.customer, id, &change));
    Ok(HttpResponse::Ok().json(ConversationView::from(&update.await?)))
}
