//! Marking a conversation as read, and the loading animation that shows the user that a reply is being written.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::api::request::body::MaybeJson;
use crate::api::request::caller::Caller;
use crate::error::{Error, InvalidRule, Result};
use crate::model::accounts::account::Account;
use crate::model::chats::chat::ChatKind;
use crate::model::chats::conversation::Conversation;
use crate::model::id::ConversationId;
use crate::runtime::app::App;
use crate::store::accounts;
use crate::store::chats::conversations;

/// LINE shows the animation for 5 to 60 seconds, in steps of 5.
const STEP_SECONDS: u32 = 5;
const SECONDS_MAX: u32 = 60;

/// How long it is shown by default.
const SECONDS_DEFAULT: u32 = 20;

/// How long to show the animation.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Typing {
    seconds: Option<u32>,
}

/// Marks all messages of the other side as read.
pub async fn read(caller: Caller, id: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse> {
    let id: ConversationId = id.parse()?;
    let (_, account) = chat(&app, &caller, id)?;
    let found = app.reader.read(|connection| conversations::read_token(connection, caller.customer, id))?;
    let none = "no message of this conversation can be marked as read: LINE sent no token for one";
    let found = found.ok_or_else(|| Error::Conflict(none.to_owned()))?;
    let mark = async |token: &_| app.line.mark_as_read(token, &found).await;
    app.tokens.call(account.id, &account.token, mark).await.map_err(|error| error.of_account(account.id))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Shows the user the loading animation.
pub async fn typing(
    caller: Caller,
    id: web::Path<String>,
    MaybeJson(Typing { seconds }): MaybeJson<Typing>,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let (conversation, account) = chat(&app, &caller, id.parse()?)?;
    let seconds = seconds.unwrap_or(SECONDS_DEFAULT);
    if !(STEP_SECONDS..=SECONDS_MAX).contains(&seconds) || !seconds.is_multiple_of(STEP_SECONDS) {
        let message =
            format!("`seconds` must be {STEP_SECONDS} to {SECONDS_MAX}, a multiple of {STEP_SECONDS}");
        return Err(Error::invalid(InvalidRule::Argument, message));
    }
    if conversation.chat.kind != ChatKind::User {
        return Err(Error::Conflict("LINE shows this in one-to-one chats only".to_owned()));
    }
    let start = async |token: &_| app.line.start_loading(token, &conversation.chat.id, seconds).await;
    app.tokens.call(account.id, &account.token, start).await.map_err(|error| error.of_account(account.id))?;
    Ok(HttpResponse::NoContent().finish())
}

/// A conversation of the caller and its account. `Conflict` when the account was removed.
fn chat(app: &App, caller: &Caller, id: ConversationId) -> Result<(Conversation, Account)> {
    app.reader.read(|connection| {
        let conversation = conversations::get(connection, caller.customer, id)?;
        let removed = || Error::Conflict("the LINE account of this conversation was removed".to_owned());
        let account = accounts::find(connection, conversation.account)?.ok_or_else(removed)?;
        Ok((conversation, account))
    })
}
