//! Messages: list, read, send.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::api::conversations::attachments;
use crate::api::conversations::outgoing::{self, SendMessage};
use crate::api::json::JSON_TYPE;
use crate::api::request::body::Json;
use crate::api::request::caller::Caller;
use crate::api::request::idempotency_key::IdempotencyKey;
use crate::api::request::{capacity, query};
use crate::contract::views::{ListBody, MessageView};
use crate::error::{Error, InvalidProperty, Result};
use crate::line::push;
use crate::model::chats::chat::ChatKind;
use crate::model::chats::conversation::Conversation;
use crate::model::created::Created;
use crate::model::id::{ConversationId, CustomerId, MessageId};
use crate::runtime::app::App;
use crate::store::chats::{conversations, messages};
use crate::store::outbox::sending::NewMessage;
use crate::store::outbox::{idempotency, sending};

/// A conversation and its owner.
type Of = (CustomerId, ConversationId);

/// A page of a conversation's messages, newest first.
pub async fn list(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let page = query::page(&request)?;
    let of = (caller.customer, id.parse::<ConversationId>()?);
    let mut body = ListBody::default();
    app.reader.read(|connection| {
        messages::page(connection, of, page, |row| body.push(&MessageView::from(row), row.tm_create))
    })?;
    Ok(HttpResponse::Ok().content_type(JSON_TYPE).body(body.finish()))
}

/// One message.
pub async fn get(
    caller: Caller,
    ids: web::Path<(String, String)>,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let of = (caller.customer, ids.0.parse::<ConversationId>()?);
    show(&app, of, ids.1.parse()?)
}

/// Stores a message durably, then waits for LINE's first response unless the client asks not to.
pub async fn send(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    Json(message): Json<SendMessage>,
    (app, key): (web::Data<App>, IdempotencyKey),
) -> Result<HttpResponse> {
    let of = (caller.customer, id.parse::<ConversationId>()?);
    let conversation = app.reader.read(|connection| conversations::get(connection, of.0, of.1))?;
    let message = prepare(message, &conversation, of, &app)?;
    capacity::require_capacity(&app, caller.customer)?;
    let id = message.id;
    let mut outcome = app.shared.outcomes.expect(id);
    let now = app.shared.clock.now();
    let claim = key.claim();
    let send = app.shared.store.write(now, move |tx| {
        sending::send(tx, of.0, of.1, &message)?;
        idempotency::note(tx, claim.as_ref(), Created::Message(id))
    });
    send.await?;
    app.shared.wakers.deliveries.wake();
    if !prefers_no_wait(&request) {
        outcome.wait(app.shared.config.delivery.wait).await;
    }
    show(&app, of, id)
}

/// Validates a message and builds the LINE requests that carry it.
fn prepare(mut message: SendMessage, conversation: &Conversation, of: Of, app: &App) -> Result<NewMessage> {
    let force = message.force;
    let attached = attachments::attach(std::mem::take(&mut message.medias), of.0, app)?;
    message.medias = attached.medias;
    let quoted = message.quoted()?;
    let outgoing = message.outgoing(quoted.map(|id| quote_token(app, of, id)).transpose()?)?;
    if conversation.chat.kind == ChatKind::User && !outgoing.mentions.is_empty() {
        let message = "people can be mentioned in groups and rooms only";
        return Err(Error::InvalidProperties(vec![InvalidProperty::new("mentions", message)]));
    }
    let requests = push::requests(&conversation.chat.id, &outgoing)?;
    conversation.check_sendable(force)?;
    Ok(NewMessage {
        id: MessageId::new(app.shared.clock.now()),
        text: outgoing.text.as_ref().map_or_else(String::new, |text| text.as_str().to_owned()),
        mentions: outgoing.mentions,
        quoted,
        medias: outgoing::shown(&outgoing.medias, attached.shown)?,
        uploads: attached.uploads,
        requests,
    })
}

/// LINE's quote token of a message.
fn quote_token(app: &App, of: Of, id: MessageId) -> Result<String> {
    let token = app.reader.read(|connection| messages::quote_token(connection, of, id))?;
    let unquotable =
        || outgoing::invalid_quote("is not a message of this conversation that LINE allows to be quoted");
    token.ok_or_else(unquotable)
}

/// The response that contains a message.
pub fn show(app: &App, of: Of, id: MessageId) -> Result<HttpResponse> {
    app.reader.read(|connection| {
        messages::get(connection, of, id, |row| HttpResponse::Ok().json(MessageView::from(row)))
    })
}

/// Whether the request has `Prefer: respond-async` (RFC 7240).
pub fn prefers_no_wait(request: &HttpRequest) -> bool {
    let preferences = request.headers().get_all("prefer").filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).any(|token| {
        let name = token.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("respond-async")
    })
}
