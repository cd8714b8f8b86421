//! The caller's webhook deliveries: list, read with attempts, replay.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::api::json::JSON_TYPE;
use crate::api::request::caller::Caller;
use crate::api::request::query;
use crate::contract::views::ListBody;
use crate::contract::webhook_views::{DeliveryView, DeliveryWithAttemptsView};
use crate::error::{Error, InvalidRule, Result};
use crate::model::id::{CustomerId, EventId};
use crate::model::webhooks::webhook_delivery::DeliveryState;
use crate::runtime::app::App;
use crate::store::webhooks;
use crate::store::webhooks::history::DeliveryFilter;

/// A page of deliveries, newest first.
pub async fn list(caller: Caller, request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse> {
    let (page, filter) = (query::page(&request)?, filter(&request)?);
    let read = move |connection: &_| webhooks::history::page(connection, caller.customer, filter, page);
    let mut body = ListBody::default();
    for delivery in app.shared.store.read(read).await? {
        body.push(&DeliveryView::from(&delivery), delivery.tm_create);
    }
    Ok(HttpResponse::Ok().content_type(JSON_TYPE).body(body.finish()))
}

/// One delivery with its attempts.
pub async fn get(caller: Caller, id: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse> {
    show(&app, caller.customer, id.parse()?)
}

/// Delivers an event again.
pub async fn replay(caller: Caller, id: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse> {
    let id: EventId = id.parse()?;
    let now = app.shared.clock.now();
    app.shared.store.write(now, move |tx| webhooks::history::replay(tx, caller.customer, id)).await?;
    show(&app, caller.customer, id)
}

fn show(app: &App, customer: CustomerId, id: EventId) -> Result<HttpResponse> {
    let (delivery, attempts) =
        app.reader.read(|connection| webhooks::history::get(connection, customer, id))?;
    Ok(HttpResponse::Ok().json(DeliveryWithAttemptsView::new(&delivery, &attempts)))
}

fn filter(request: &HttpRequest) -> Result<DeliveryFilter> {
    let state = query::parameter(request, "state").map(|word| state(&word)).transpose()?;
    let conversation = query::parameter(request, "conversation_id").map(|id| id.parse()).transpose()?;
    Ok(DeliveryFilter { state, conversation })
}

fn state(word: &str) -> Result<DeliveryState> {
    let expected = "`state` is `waiting`, `sending`, `delivered` or `failed`";
    DeliveryState::parse(word).ok_or_else(|| Error::invalid(InvalidRule::Argument, expected))
}
