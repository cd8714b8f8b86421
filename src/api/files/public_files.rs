//! Sent files, for LINE and its users: no token, because the address is the secret.
//!
//! LINE's apps fetch them each time a user opens the chat, so the addresses never expire.

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
    path: Path<(String, String)>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let file = sent(&app, &path.0)?;
    medias::serve(&app, &request, file, Variant::Whole).await
}

/// The preview of an image that was sent.
pub async fn preview(
    path: Path<(String, String)>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let file = sent(&app, &path.0)?;
    medias::serve(&app, &request, file, Variant::Preview).await
}

/// The sent file with this id. A malformed id gets the same response as an unknown one, so guessing reveals
/// nothing.
fn sent(app: &App, id: &str) -> Result<StoredFile> {
    let missing = Error::NotFound(Resource::Media);
    let Ok(id) = id.parse::<MediaId>() else { return Err(missing) };
    app.reader.read(|connection| uploads::sent(connection, id))?.ok_or(missing)
}
