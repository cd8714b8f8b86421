//! The control API as its documentation lists it.

use awc::http::Method;
use awc::http::header::{CONTENT_LENGTH, CONTENT_TYPE};

use crate::sandbox::tests::TestSandbox;

/// The routes stand in the tables of this document.
const DOCUMENT: &str = include_str!("../../../docs/SANDBOX.md");

#[actix_web::test]
async fn head_answers_wherever_get_does() {
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
        let ask = async |method: Method| {
            let mut answer = sandbox.client.request(method, &url).send().await.unwrap();
            let header = |name| answer.headers().get(name).cloned().unwrap();
            let head = (answer.status(), header(CONTENT_TYPE), header(CONTENT_LENGTH));
            (head, answer.body().await.unwrap().len())
        };
        let ((got, length), (looked, nothing)) = (ask(Method::GET).await, ask(Method::HEAD).await);

        assert_eq!(got.0, if route.ends_with("nowhere") { 404 } else { 200 }, "{route}");
        assert_eq!((&looked, nothing), (&got, 0), "{route}");
        assert_eq!(got.2, length.to_string().as_str(), "{route}");
    }
}
