//! The participants of a conversation, page by page.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::api::json::JSON_TYPE;
use crate::api::request::caller::Caller;
use crate::api::request::query;
use crate::contract::views::{AddressView, ListBody};
use crate::error::Result;
use crate::model::id::ConversationId;
use crate::runtime::app::App;
use crate::store::chats::participants;

/// The position of the account itself, before all others.
const OWN_POSITION: u32 = 0;

/// A page of participants: the account, the other side, and the members in the order in which they were first
/// seen.
pub async fn list(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let page = query::participant_page(&request)?;
    let of = (caller.customer, id.parse::<ConversationId>()?);
    let listed = app.reader.read(|connection| participants::page(connection, of, page))?;
    let mut body = ListBody::default();
    if page.after.is_none() {
        body.push(&AddressView::account(), OWN_POSITION);
    }
    for (position, participant) in &listed {
        body.push(&AddressView::from(participant), *position);
    }
    Ok(HttpResponse::Ok().content_type(JSON_TYPE).body(body.finish()))
}
