//! The base path under which the API is served: stripped from each request, so that routes need not know it.

use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

/// Strips the base path. Returns false, and leaves the request unchanged, when the path does not start with it.
pub fn strip(request: &mut ServiceRequest, base: &str) -> bool {
    if base.is_empty() {
        return true;
    }
    let Some(stripped) = stripped(request.uri(), base) else { return false };
    request.head_mut().uri = stripped.clone();
    request.match_info_mut().get_mut().update(&stripped);
    true
}

fn stripped(uri: &Uri, base: &str) -> Option<Uri> {
    let rest = uri.path().strip_prefix(base).filter(|rest| rest.starts_with('/'))?;
    let rest = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, expected: Option<&str>) {
        let stripped = stripped(&uri.parse().unwrap(), "/kaiwa");

        assert_eq!(stripped.map(|uri| uri.to_string()).as_deref(), expected, "{uri}");
    }

    #[test]
    fn the_base_path_is_stripped_only_as_whole_segments() {
        check("/kaiwa/healthz", Some("/healthz"));
        check("/kaiwa/v1.0/conversations?token=a%20b", Some("/v1.0/conversations?token=a%20b"));
        check("/kaiwa/", Some("/"));
        check("/kaiwa", None);
        check("/kaiwas/healthz", None);
        check("/healthz", None);
        check("/kaiwa/kaiwa/healthz", Some("/kaiwa/healthz"));
    }
}
