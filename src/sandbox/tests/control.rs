//! The control API as documented.

use awc::http::Method;
use awc::http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use crate::sandbox::tests::TestSandbox;

/// The tables of this document list the routes.
const DOCUMENT: &str = include_str!("../../../docs/SANDBOX.md");

#[actix_web::test]
async fn head_is_supported_wherever_get_is() {
    let sandbox = TestSandbox::start().await;
    let routes = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `GET ")?.split(['`', '?']).next());
    let routes: Vec<&str> = routes.filter(|route| route.starts_with("/sandbox/")).collect();
    assert!(routes.len() >= 9, "{routes:?}");

    for route in routes.into_iter().chain(["/sandbox/faults", "/sandbox/nowhere"]) {
        let url = format!(
            "{}{}",
            sandbox.url,
            route.replace("{user}", &sandbox.hana).replace("{chat}", &sandbox.hana)
        );
        let fetch = async |method: Method| {
            let mut response = sandbox.client.request(method, &url).send().await.unwrap();
            let header = |name| response.headers().get(name).cloned().unwrap();
            let head = (response.status(), header(CONTENT_TYPE), header(CONTENT_LENGTH));
            (head, response.body().await.unwrap().len())
        };
        let ((got, length), (head, head_length)) = (fetch(Method::GET).await, fetch(Method::HEAD).await);

        assert_eq!(got.0, if route.ends_with("nowhere") { 404 } else { 200 }, "{route}");
        assert_eq!((&head, head_length), (&got, 0), "{route}");
        assert_eq!(got.2, length.to_string().as_str(), "{route}");
    }
}
