//! Rules for requests of all calls: methods, parameters, and absent fields of bodies.

use awc::http::Method;
use serde_json::{Value, json};

use crate::harness::contract;
use crate::harness::response::Response;
use crate::harness::server::{TestServer, token_of};

/// A path of each route, with existing ids.
async fn paths(server: &TestServer) -> Vec<String> {
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let message = server.say(&conversation, "hello").await["id"].as_str().unwrap().to_owned();
    let upload =
        Response::to(server.request(Method::POST, "/v1.0/medias?filename=a.txt"), "a file").await.json();
    let file = upload["id"].as_str().unwrap().to_owned();
    let sent = json!({ "medias": [{ "type": "file", "id": file }] });
    server.post(&format!("/v1.0/conversations/{conversation}/messages"), &sent).await;
    let filled = |path: &str| {
        let id = match path {
            _ if path.starts_with("/v1.0/conversation_accounts") => server.account.to_string(),
            _ if path.starts_with("/v1.0/medias") || path.starts_with("/m/") => file.clone(),
            _ => conversation.clone(),
        };
        path.replace("{id}", &id).replace("{message_id}", &message).replace("{name}", "a.txt")
    };
    kaiwa::api::routes::all()
        .iter()
        .filter(|route| route.allow().contains("GET"))
        .map(|route| filled(route.path()))
        .collect()
}

#[actix_web::test]
async fn head_returns_the_headers_of_get_without_a_body() {
    let server = TestServer::start();
    let paths = paths(&server).await;
    assert!(paths.len() > 15, "{paths:?}");

    for path in paths.iter().filter(|path| *path != "/v1.0/events") {
        let [get, head] = [Method::GET, Method::HEAD].map(|method| server.request(method, path));
        let (get, head) = (Response::to(get, "").await, Response::to(head, "").await);

        let described = |response: &Response| {
            let names =
                ["content-type", "etag", "accept-ranges", "content-disposition", "cache-control", "allow"];
            names.map(|name| response.header(name).to_owned())
        };
        assert_eq!((head.status, described(&head)), (get.status, described(&get)), "{path}");
        assert_eq!(head.text, "", "{path}");
        // A body with times or counters may have another length a moment later.
        if path != "/readyz" && get.status == 200 {
            assert_eq!(head.header("content-length"), get.text.len().to_string(), "{path}");
        }
    }
    let refused = Response::to(server.anonymous(Method::HEAD, "/v1.0/conversations"), "").await;
    assert_eq!((refused.status, refused.text.as_str()), (401, ""));
    let nowhere = Response::to(server.request(Method::HEAD, "/v1.0/conversations/setup/"), "").await;
    assert_eq!((nowhere.status, nowhere.text.as_str()), (404, ""));
}

#[actix_web::test]
async fn unknown_and_repeated_parameters_are_rejected() {
    let server = TestServer::start();
    let id = "01a20644-f95c-7717-97b7-0888b5389fe6";

    for route in kaiwa::api::routes::all().iter().filter(|route| route.path().starts_with("/v1.0/")) {
        let path = route.path().replace("{id}", id).replace("{message_id}", id).replace("{account_id}", id);
        for method in route.allow().split(", ") {
            let method: Method = method.parse().unwrap();
            let ask = |query: &str| server.request(method.clone(), &format!("{path}?{query}"));
            for query in ["pagesize=5", "Token=a", "_=1", "token=a&token=b"] {
                let response = Response::to(ask(query), "").await;
                let is_lines = path.starts_with("/v1.0/conversation/accounts/");
                assert_eq!(response.status == 400, !is_lines, "{method} {path}?{query}: {response:?}");
            }
        }
    }
    let misspelled = server.get("/v1.0/conversations?pagesize=5").await;
    assert_eq!(misspelled.reason(), "INVALID_ARGUMENT");
    assert!(misspelled.text.contains("`page_size`"), "{}", misspelled.text);
    for path in
        ["/healthz?a=b", "/docs?a=b&a=c", "/openapi.json?x", "/v1.0/conversations?page_size=5&page_token="]
    {
        let response = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }
    let stranger = Response::to(server.anonymous(Method::GET, "/v1.0/conversations?pagesize=5"), "").await;
    assert_eq!(stranger.status, 401, "an unknown caller learns nothing");
}

/// The names of the properties of a body, and which of them are required.
fn properties(schema: &str) -> Vec<(String, bool)> {
    let schema = &contract::DOCUMENT["components"]["schemas"][schema];
    let needed = schema["required"].as_array().cloned().unwrap_or_default();
    let names = schema["properties"].as_object().unwrap().keys();
    names.map(|name| (name.clone(), needed.contains(&json!(name)))).collect()
}

#[actix_web::test]
async fn null_means_absent_when_creating() {
    let server = TestServer::start();
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let one = format!("/v1.0/conversations/{conversation}");
    let account = json!({ "type": "line", "secret": "s", "token": "t" });
    let image = json!({ "type": "image", "uri": "https://example.com/a.png" });
    let creations = [
        (format!("{one}/messages"), "MessageToSend", json!({ "text": "hi" }), 200),
        (format!("{one}/messages"), "MessageToSend", json!({ "medias": [image] }), 200),
        (format!("{one}/typing"), "Typing", json!({}), 204),
        ("/v1.0/conversation_accounts".to_owned(), "NewAccount", account, 200),
    ];

    for (path, schema, body, status) in creations {
        let mut body = body;
        for (name, is_needed) in properties(schema) {
            if !is_needed && body.get(&name).is_none() {
                body[&name] = Value::Null;
            }
        }
        let response = server.post(&path, &body).await;
        assert_eq!(response.status, status, "{path} {body}: {response:?}");
    }
    let nested = json!({ "text": "hi", "sender": { "name": null, "icon_uri": null },
        "medias": [{ "type": "image", "uri": "https://example.com/a.png", "preview_uri": null, "filename": null }] });
    let response = server.post(&format!("{one}/messages"), &nested).await;
    assert_eq!(response.status, 200, "{response:?}");
    let failed = server.post(&format!("{one}/messages"), &json!({ "text": null, "medias": null })).await;
    assert_eq!((failed.status, failed.reason().as_str()), (400, "INVALID_ARGUMENT"));
    for body in [
        json!({ "type": null, "secret": "s", "token": "t" }),
        json!({ "type": "line", "secret": null, "token": "t" }),
    ] {
        assert_eq!(server.post("/v1.0/conversation_accounts", &body).await.status, 400, "{body}");
    }
}

#[actix_web::test]
async fn null_clears_clearable_fields_and_is_rejected_elsewhere() {
    let server = TestServer::start();
    let conversation =
        format!("/v1.0/conversations/{}", server.conversation_with(&server.user("Alice")).await);
    let account = format!("/v1.0/conversation_accounts/{}", server.account);
    let cleared = [
        (conversation.as_str(), "ConversationChange", vec!["name", "detail"]),
        (account.as_str(), "AccountChange", vec!["name", "detail", "secret_next"]),
        ("/v1.0/webhook", "EndpointChange", vec!["uri"]),
    ];

    for (path, schema, clearable) in cleared {
        for (name, _) in properties(schema) {
            let response = server.put(path, &json!({ &name: null })).await;
            if clearable.contains(&name.as_str()) {
                assert_eq!(response.status, 200, "{path} {name}: {response:?}");
                let shown = response.json();
                assert!(shown.get(&name).is_none_or(|value| value == ""), "{path} {name}: {shown}");
            } else {
                assert_eq!(
                    (response.status, response.reason().as_str()),
                    (400, "INVALID_ARGUMENT"),
                    "{path} {name}"
                );
                assert!(response.text.contains(&name), "{}", response.text);
            }
        }
    }
}

#[actix_web::test]
async fn only_pages_of_this_server_can_change_anything_with_a_cookie() {
    let server = TestServer::start();
    let conversation =
        format!("/v1.0/conversations/{}", server.conversation_with(&server.user("Alice")).await);
    let token = token_of(server.customer);
    let ask = async |method: Method, headers: &[(&str, String)]| {
        let mut request = server.anonymous(method.clone(), &conversation).content_type("application/json");
        for (name, value) in headers {
            request = request.insert_header((*name, value.as_str()));
        }
        let body = if method == Method::PUT { r#"{"name":"a"}"# } else { "" };
        let response = Response::to(request, body).await;
        (response.status, response.text.contains("PERMISSION_DENIED"))
    };
    let cookie = ("cookie", format!("token={token}"));
    let own = ("origin", server.url(""));

    assert_eq!(ask(Method::GET, std::slice::from_ref(&cookie)).await, (200, false), "reading is safe");
    assert_eq!(ask(Method::PUT, std::slice::from_ref(&cookie)).await, (403, true));
    assert_eq!(
        ask(Method::PUT, &[cookie.clone(), ("origin", "https://evil.example".to_owned())]).await,
        (403, true)
    );
    assert_eq!(
        ask(Method::PUT, &[cookie.clone(), ("sec-fetch-site", "cross-site".to_owned())]).await,
        (403, true)
    );
    assert_eq!(ask(Method::PUT, &[cookie.clone(), own]).await, (200, false));
    let same = ("sec-fetch-site", "same-origin".to_owned());
    assert_eq!(ask(Method::PUT, &[cookie.clone(), same]).await, (200, false));
    let bearer = ("authorization", format!("Bearer {token}"));
    assert_eq!(ask(Method::PUT, &[cookie, bearer]).await, (200, false), "the header is no page's");
    assert_eq!(ask(Method::PUT, &[("cookie", "token=a.b.c".to_owned())]).await, (401, false));
}

#[actix_web::test]
async fn a_url_with_control_characters_or_outer_spaces_is_rejected() {
    let server = TestServer::start();
    let conversation = server.conversation_with(&server.user("Alice")).await;

    for hidden in ["\r", "\n", "\t", "\r\n", "\u{1}", "\u{7f}"] {
        let address = format!("https://example.com/{hidden}a");
        let endpoint = server.put("/v1.0/webhook", &json!({ "uri": address })).await;
        let media = json!({ "medias": [{ "type": "image", "uri": address }] });
        let message = server.post(&format!("/v1.0/conversations/{conversation}/messages"), &media).await;

        assert_eq!((endpoint.status, message.status), (400, 400), "{address:?}");
    }
    for address in [" https://example.com/", "https://example.com/ ", "\nhttps://example.com/"] {
        assert_eq!(server.put("/v1.0/webhook", &json!({ "uri": address })).await.status, 400, "{address:?}");
    }
    assert_eq!(server.get("/v1.0/webhook").await.json()["uri"], "");
}
