//! The OpenAPI document matches the API: nothing is missing, and nothing more is promised.

mod walk;

use std::collections::BTreeSet;

use awc::http::Method;
use serde_json::Value;

use crate::harness::contract::{self, Asked, DOCUMENT};
use crate::harness::response::Response;
use crate::harness::server::TestServer;

/// The keys of a path item that are methods.
const METHODS: [&str; 5] = ["delete", "get", "head", "post", "put"];

/// Every object within a value.
fn objects(value: &Value) -> Vec<&serde_json::Map<String, Value>> {
    match value {
        Value::Object(object) => std::iter::once(object).chain(object.values().flat_map(objects)).collect(),
        Value::Array(array) => array.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_route_is_an_operation_and_every_operation_a_route() {
    // `HEAD` exists wherever `GET` does, and is described only where it is needed.
    let described: BTreeSet<String> = contract::operations()
        .iter()
        .filter(|(_, method, _)| *method != "head")
        .map(|(path, method, _)| format!("{} {path}", method.to_uppercase()))
        .collect();
    let served: BTreeSet<String> = kaiwa::api::routes::all()
        .iter()
        .flat_map(|route| {
            let methods = route.allow().split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
            assert_eq!(methods.contains("GET"), methods.contains("HEAD"), "{}", route.path());
            methods
                .into_iter()
                .filter(|method| method != "HEAD")
                .map(move |method| format!("{method} {}", route.path()))
        })
        .collect();

    assert_eq!(described, served);
    assert!(contract::operations().iter().all(|(_, method, _)| METHODS.contains(method)));
}

#[test]
fn every_operation_describes_its_input_and_its_outcomes() {
    let mut names = BTreeSet::new();
    let tags: Vec<&Value> = DOCUMENT["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, method, operation) in contract::operations() {
        let place = format!("{method} {path}");
        let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
        let parameters: Vec<&Value> =
            parameters.into_iter().map(|one| contract::resolve("", one).unwrap().1).collect();
        let in_path: BTreeSet<&str> = parameters
            .iter()
            .filter(|one| one["in"] == "path" && one["required"] == true)
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        let in_template = path.split(['{', '}']).skip(1).step_by(2).collect();
        let statuses = operation["responses"].as_object().unwrap();
        let is_private = operation.get("security").is_none();

        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{place}: a unique name");
        assert!(tags.contains(&&operation["tags"][0]), "{place}: a tag that exists");
        assert_eq!(in_path, in_template, "{place}: the parameters of its path");
        assert!(statuses.keys().any(|status| status.starts_with('2')), "{place}: how it succeeds");
        for status in
            ["415", "429", "500"].into_iter().chain(["401", "503"].into_iter().filter(|_| is_private))
        {
            assert!(statuses.contains_key(status), "{place}: {status}");
        }
        let is_unsafe = ["delete", "post", "put"].contains(&method);
        assert_eq!(statuses.contains_key("403"), is_private && is_unsafe, "{place}: by a cookie");
        assert!(statuses.contains_key("400") || !path.starts_with("/v1.0/"), "{place}: unknown parameters");
        for status in ["400", "408", "413"].into_iter().filter(|_| operation.get("requestBody").is_some()) {
            assert!(statuses.contains_key(status), "{place}: {status}");
        }
    }
}

#[test]
fn every_reference_resolves_and_every_component_is_used() {
    let references: BTreeSet<&str> = objects(&DOCUMENT)
        .into_iter()
        .filter_map(|object| object.get("$ref"))
        .map(|reference| reference.as_str().unwrap().strip_prefix('#').unwrap())
        .collect();
    let components = DOCUMENT["components"].as_object().unwrap();
    let referable =
        components.iter().filter(|(kind, _)| *kind != "securitySchemes").flat_map(|(kind, components)| {
            components.as_object().unwrap().keys().map(move |name| format!("/components/{kind}/{name}"))
        });
    let referable: BTreeSet<String> = referable.collect();

    assert_eq!(references, referable.iter().map(String::as_str).collect());
}

#[test]
fn every_request_body_has_an_example_that_fits_its_schema() {
    for (path, method, operation) in contract::operations() {
        let content = &operation["requestBody"]["content"]["application/json"];
        if content.is_null() {
            continue;
        }
        let pointer = format!(
            "/paths/{}/{method}/requestBody/content/application~1json/schema",
            contract::escape(path)
        );

        contract::validate(&pointer, content.get("example").unwrap()).unwrap();
    }
}

#[test]
fn an_undocumented_response_is_noticed() {
    let response = |status: u16, headers: &[(&'static str, &'static str)], text: &str| {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Response { status, headers: headers.collect(), text: text.to_owned() }
    };
    let check = |method: Method, path: &str, response: &Response| {
        let url = format!("http://127.0.0.1{path}").parse().unwrap();
        contract::check(&Asked { method, url, body: Vec::new() }, response)
    };
    let json = [("content-type", "application/json"), ("x-request-id", "a")];
    let good = response(200, &json, r#"{"status":"ok"}"#);

    assert_eq!(check(Method::GET, "/healthz", &good), Ok(()));
    assert!(check(Method::POST, "/healthz", &good).is_err(), "a method");
    assert!(check(Method::GET, "/healthz?deep=1", &good).is_err(), "a parameter");
    assert!(check(Method::GET, "/healthz", &response(418, &json, "")).is_err(), "a status");
    assert!(
        check(Method::GET, "/healthz", &response(200, &json, r#"{"status":"ok","more":1}"#)).is_err(),
        "a key"
    );
    assert!(check(Method::GET, "/healthz", &response(200, &json, r#"{"status":"fine"}"#)).is_err(), "a word");
    assert!(
        check(Method::GET, "/healthz", &response(200, &json[1..], r#"{"status":"ok"}"#)).is_err(),
        "a type"
    );
    let refused = r#"{"error":{"status":"A","reason":"INVALID_CREDENTIALS","message":"a","request_id":"a"}}"#;
    assert!(
        check(Method::GET, "/v1.0/webhook", &response(401, &json, refused)).is_err(),
        "a header that is missing"
    );
}

#[actix_web::test]
async fn the_page_runs_only_its_own_script_and_loads_nothing_external() {
    let server = TestServer::start();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                  form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    for (path, kind) in [("/docs", "html"), ("/docs/page.css", "css"), ("/docs/page.js", "javascript")] {
        let response = Response::to(server.anonymous(Method::GET, path), "").await;

        assert_eq!(
            (response.status, response.header("content-type")),
            (200, &*format!("text/{kind}; charset=utf-8"))
        );
        assert_eq!(response.header("content-security-policy"), policy);
        assert_eq!(response.header("x-content-type-options"), "nosniff");
        assert_eq!(response.header("referrer-policy"), "no-referrer");
        for forbidden in [
            "http:",
            "https:",
            "innerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "style=",
            "<style",
            "onload",
        ] {
            assert!(!response.text.contains(forbidden), "{path}: {forbidden}");
        }
    }
    let page = Response::to(server.anonymous(Method::GET, "/docs"), "").await.text;
    assert!(
        page.contains(r#"<script src="docs/page.js" defer></script>"#)
            && page.matches("<script").count() == 1
    );
    let other = server.post("/docs", &Value::Null).await;
    assert_eq!((other.status, other.header("allow")), (405, "GET, HEAD"));
    assert_eq!(server.get("/docs/").await.reason(), "ROUTE_NOT_FOUND");
    assert_eq!(server.get("/docs/page.html").await.reason(), "ROUTE_NOT_FOUND");
}

#[actix_web::test]
async fn the_document_is_served_as_checked_under_the_base_path_too() {
    let server = TestServer::start_with(|config| config.base_path = "/chat".to_owned());

    let response = Response::to(server.anonymous(Method::GET, "/chat/openapi.json"), "").await;

    let mut expected = DOCUMENT.clone();
    expected["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    expected["servers"][0]["url"] = "/chat".into();
    assert_eq!((response.status, response.json()), (200, expected));
}
