//! The API under a base path.

use awc::http::Method;
use serde_json::json;

use crate::harness::response::Response;
use crate::harness::server::TestServer;

#[actix_web::test]
async fn everything_is_served_under_the_base_path_and_nothing_outside_it() {
    let server = TestServer::start_with(|config| config.base_path = "/chat/kaiwa".to_owned());
    server.user("Alice");

    let setup =
        server.post("/chat/kaiwa/v1.0/conversations/setup", &json!({ "reference_type": "line" })).await;
    let account = &setup.json()["result"][0];

    let webhook = format!("{}{}", server.url("/chat/kaiwa"), server.webhook_path());
    assert_eq!((setup.status, &account["webhook_uri"]), (200, &json!(webhook)));
    assert_eq!(account["test"]["success"], true, "LINE reaches the webhook there: {account}");
    let token = server.token();
    for path in ["healthz", "readyz", &format!("v1.0/conversations?token={token}")] {
        let inside = Response::to(server.anonymous(Method::GET, &format!("/chat/kaiwa/{path}")), "").await;
        let outside = server.get(&format!("/{path}")).await;
        let beside = server.get(&format!("/chat/kaiwas/{path}")).await;

        assert_eq!((inside.status, outside.status, beside.status), (200, 404, 404), "{path}");
        assert_eq!(outside.reason(), "ROUTE_NOT_FOUND");
    }
}
