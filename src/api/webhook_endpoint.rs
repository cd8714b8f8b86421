//! Where the caller is told of events: read, changed, and its secret exchanged.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::api::app::App;
use crate::api::body::Json;
use crate::api::caller::Caller;
use crate::error::{Error, Result, Rule};
use crate::hooks::guard::Guard;
use crate::model::customer::ProfileChange;
use crate::model::id::CustomerId;
use crate::model::webhook_view::EndpointView;
use crate::store::{customers, webhook_endpoints};

/// The longest address, in bytes.
const URI_BYTES_MAX: usize = 2_048;

/// An endpoint as a client writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointBody {
    uri: Option<String>,
    method: Option<Method>,
}

/// The methods with which a customer can be told.
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

/// Says where the caller is told, and begins to tell again where nothing was told any more.
pub async fn update(
    caller: Caller,
    Json(body): Json<EndpointBody>,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let Caller { customer, profile } = caller;
    let profile = body.applied_to(profile, &Guard::new(&app.shared.config.limits.allowed_hosts))?;
    let enable = app.shared.store.write(app.shared.clock.now(), move |tx| {
        customers::save(tx, customer, &profile)?;
        let is_new = webhook_endpoints::open(tx, customer)?;
        webhook_endpoints::enable(tx, customer)?;
        Ok(is_new)
    });
    show(&app, customer, enable.await?)
}

/// Exchanges the secret, and shows the new one this once.
pub async fn rotate(caller: Caller, app: web::Data<App>) -> Result<HttpResponse> {
    let Caller { customer, profile } = caller;
    let rotate = app.shared.store.write(app.shared.clock.now(), move |tx| {
        customers::save(tx, customer, &profile)?;
        webhook_endpoints::rotate(tx, customer)
    });
    rotate.await?;
    show(&app, customer, true)
}

fn show(app: &App, customer: CustomerId, with_secret: bool) -> Result<HttpResponse> {
    let (endpoint, secret) = app.reader.read(|connection| {
        Ok((webhook_endpoints::get(connection, customer)?, webhook_endpoints::secret(connection, customer)?))
    })?;
    Ok(HttpResponse::Ok().json(EndpointView::new(&endpoint, secret.as_ref().filter(|_| with_secret))))
}

impl EndpointBody {
    /// What the caller says here goes before what its token says.
    fn applied_to(self, profile: ProfileChange, guard: &Guard) -> Result<ProfileChange> {
        let Self { uri, method } = self;
        let refused = |reason: &str| Error::invalid(Rule::Argument, format!("`uri`: {reason}"));
        match uri.as_deref() {
            None | Some("") => {}
            Some(uri) if uri.len() > URI_BYTES_MAX => {
                return Err(refused(&format!("it may have at most {URI_BYTES_MAX} bytes")));
            }
            Some(uri) => drop(guard.check(uri).map_err(refused)?),
        }
        Ok(ProfileChange {
            webhook_uri: uri.or(profile.webhook_uri),
            webhook_method: method.map(Method::word).or(profile.webhook_method),
            ..profile
        })
    }
}

impl Method {
    fn word(self) -> String {
        let word = match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        };
        word.to_owned()
    }
}
