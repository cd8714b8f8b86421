//! The caller's webhook endpoint: read, update, rotate the secret.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::api::request::body::Json;
use crate::api::request::caller::Caller;
use crate::api::request::field::Field;
use crate::contract::webhook_views::EndpointView;
use crate::error::{Error, InvalidRule, Result};
use crate::model::accounts::customer::ProfileChange;
use crate::model::id::CustomerId;
use crate::net::ssrf_guard::SsrfGuard;
use crate::runtime::app::App;
use crate::store::accounts::customers;
use crate::store::webhooks;

/// The endpoint in a request body.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointBody {
    uri: Field<String>,
    method: Field<Method>,
}

/// The HTTP methods that a customer can choose.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// The caller's endpoint.
pub async fn get(caller: Caller, app: web::Data<App>) -> Result<HttpResponse> {
    show(&app, caller.customer, false)
}

/// Sets the endpoint, and resumes deliveries when they were disabled.
pub async fn update(
    caller: Caller,
    Json(body): Json<EndpointBody>,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let Caller { customer, profile, .. } = caller;
    let change = body.into_change(&SsrfGuard::new(&app.shared.config.limits.allowed_hosts))?;
    let enable = app.shared.store.write(app.shared.clock.now(), move |tx| {
        customers::introduce(tx, customer, &profile)?;
        customers::update(tx, customer, change)?;
        let is_new = webhooks::endpoints::open(tx, customer)?;
        webhooks::reset::enable(tx, customer)?;
        Ok(is_new)
    });
    show(&app, customer, enable.await?)
}

/// Rotates the secret, and shows the new one this one time.
pub async fn rotate(caller: Caller, app: web::Data<App>) -> Result<HttpResponse> {
    let Caller { customer, profile, .. } = caller;
    let rotate = app.shared.store.write(app.shared.clock.now(), move |tx| {
        customers::introduce(tx, customer, &profile)?;
        webhooks::endpoints::rotate(tx, customer)
    });
    rotate.await?;
    show(&app, customer, true)
}

fn show(app: &App, customer: CustomerId, with_secret: bool) -> Result<HttpResponse> {
    let (endpoint, secret) = app.reader.read(|connection| {
        Ok((
            webhooks::endpoints::get(connection, customer)?,
            webhooks::endpoints::secret(connection, customer)?,
        ))
    })?;
    Ok(HttpResponse::Ok().json(EndpointView::new(&endpoint, secret.as_ref().filter(|_| with_secret))))
}

impl EndpointBody {
    fn into_change(self, guard: &SsrfGuard) -> Result<ProfileChange> {
        let (uri, method) = (self.uri.or_empty(), self.method.not_null("method")?);
        let refused = |reason| Error::invalid(InvalidRule::Argument, format!("`uri`: {reason}"));
        uri.as_deref().map_or(Ok(()), |uri| guard.check_receiver(uri)).map_err(refused)?;
        let method = method.map(|method| method.word().to_owned());
        Ok(ProfileChange { webhook_uri: uri, webhook_method: method, ..ProfileChange::default() })
    }
}

impl Method {
    const ALL: [Self; 4] = [Self::Get, Self::Post, Self::Put, Self::Delete];

    fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// Checks the method in a token; `""` means that the token has none.
pub fn check_method(word: &str) -> Result<(), String> {
    if word.is_empty() || Method::ALL.iter().any(|method| method.word() == word) {
        return Ok(());
    }
    Err("must be GET, POST, PUT or DELETE".to_owned())
}
