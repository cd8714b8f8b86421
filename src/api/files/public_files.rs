//! Files that were sent, for LINE and its users: no token, because the address is the secret.
//!
//! LINE's apps fetch them whenever somebody opens the chat, so the addresses never expire.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::api::files::medias;
use crate::error::{Error, Resource, Result};
use crate::model::files::media::StoredFile;
use crate::model::id::MediaId;
use crate::runtime::app::App;
use crate::store::files::media_store::Variant;
use crate::store::files::uploads;

/// A file that was sent.
pub async fn whole(
    place: Path<(String, String)>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let file = sent(&app, &place.0)?;
    medias::serve(&app, &request, file, Variant::Whole).await
}

/// The small picture of a picture that was sent.
pub async fn preview(
    place: Path<(String, String)>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let file = sent(&app, &place.0)?;
    medias::serve(&app, &request, file, Variant::Preview).await
}

/// What is no id answers as what is unknown: nobody learns anything by guessing.
fn sent(app: &App, id: &str) -> Result<StoredFile> {
    let missing = Error::NotFound(Resource::Media);
    let Ok(id) = id.parse::<MediaId>() else { return Err(missing) };
    app.reader.read(|connection| uploads::sent(connection, id))?.ok_or(missing)
}
