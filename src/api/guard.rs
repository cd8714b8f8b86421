//! What holds for every request: an id, limits, one shape for all failures, and a line in the log without secrets.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::api::UPLOADS;
use crate::api::access::Access;
use crate::api::app::App;
use crate::api::deadline;
use crate::api::error::{respond, translate};
use crate::error::Error;

/// The header that names a request, for the client and for the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client.
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Wraps every route. A handler that panics answers 500, and the process goes on.
pub async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let access = Access::begin(&request, request_id(&request));
    let app = request.app_data::<web::Data<App>>().expect("every server is given an App").clone();
    let is_upload = request.path() == UPLOADS;
    let limit = if is_upload { deadline::UPLOAD } else { app.shared.config.limits.request_timeout };
    deadline::limit(&mut request, limit);
    // A copy of the request that outlives the handler would keep actix from reusing it: only its answer is kept.
    let answered = if request.headers().contains_key(CONTENT_ENCODING) {
        let error = Error::UnsupportedMediaType("send the body as it is, without `Content-Encoding`");
        Ok(Ok(request.into_response(respond(&error, &access.id)).map_into_boxed_body()))
    } else {
        let call = AssertUnwindSafe(next.call(request)).catch_unwind().await;
        call.map(|answer| answer.map(ServiceResponse::map_into_boxed_body))
    };
    let mut response = match answered {
        Ok(Ok(response)) => in_our_words(response, &access.id),
        Ok(Err(error)) => return Err(error),
        Err(_) => {
            app.shared.counters.panics.add(1);
            let response_id = access.id.clone();
            access.panicked(&app.shared.metrics);
            return Err(actix_web::Error::from(Panicked { response_id }));
        }
    };
    sign(response.headers_mut(), &access.id);
    access.end(&app.shared.metrics, response.status().as_u16(), response.response().body().size());
    Ok(response)
}

/// A handler panicked. Actix turns it into the answer, because the request itself went down with the handler.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct Panicked {
    response_id: String,
}

impl actix_web::ResponseError for Panicked {
    fn error_response(&self) -> HttpResponse {
        let mut response = respond(&Error::internal("the handler panicked"), &self.response_id);
        sign(response.headers_mut(), &self.response_id);
        response
    }
}

/// Gives a failure its request id, and our envelope if it has another shape. An internal cause ends here, in the log.
fn in_our_words(response: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    let Some(cause) = response.response().error() else { return response };
    let answer = match cause.as_error::<Error>() {
        Some(error) => {
            if let Error::Internal(_) | Error::Unusable(_) = error {
                log::error!("request {id}: {}", error.chain());
            }
            respond(error, id)
        }
        None => respond(&translate(response.status()), id),
    };
    response.into_response(answer)
}

/// The headers of every answer. Addresses carry tokens by contract: what they show may not stay in a cache.
fn sign(headers: &mut HeaderMap, id: &str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REQUEST_ID, HeaderValue::from_str(id).expect("ids are plain ASCII"));
}

/// The client's own id, if it is 1 to 64 characters of `[A-Za-z0-9_-]`, else a new one.
fn request_id(request: &ServiceRequest) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let given = given.filter(|id| (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(plain));
    given.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}
