//! Tickets for the live feed.

use actix_web::{HttpResponse, web};

use crate::api::request::caller::Caller;
use crate::contract::views::TicketView;
use crate::error::Result;
use crate::runtime::app::App;

/// Issues a ticket that opens one feed of the caller.
pub async fn create(caller: Caller, app: web::Data<App>) -> Result<HttpResponse> {
    let (ticket, expires_at) =
        app.shared.tickets.issue(caller.customer, caller.grant, app.shared.clock.now())?;
    Ok(HttpResponse::Ok().json(TicketView::new(&ticket, expires_at)))
}
