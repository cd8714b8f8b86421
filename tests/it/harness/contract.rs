//! Checks every request of a test and its response against the OpenAPI document.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use awc::http::Method;
use awc::http::header::HeaderMap;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};
use url::Url;

use crate::harness::response::Response;

/// The document as it is checked in.
pub const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/openapi/document.json"));

/// The URL of the document; nothing is fetched from it.
const PLACE: &str = "https://kaiwa.invalid/openapi.json";

/// The thread that compiles the document once for all tests, since that takes long; the result is not `Send`.
static JUDGE: LazyLock<Sender<Case>> = LazyLock::new(|| {
    let (ask, asked) = channel();
    std::thread::spawn(move || judge(&asked));
    ask
});

/// A pointer into the document, a value, and the channel for whether the value fits the schema there.
type Case = (String, Value, Sender<Result<(), String>>);

/// The document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(TEXT).unwrap());

/// A request that was sent.
pub struct Asked {
    pub method: Method,
    pub url: Url,
    pub body: Vec<u8>,
}

struct Contract {
    compiler: Compiler,
    schemas: Schemas,
    known: HashMap<String, SchemaIndex>,
}

/// Checks a response against the document. Paths that it does not have belong to other servers and pass.
pub fn check(asked: &Asked, response: &Response) -> Result<(), String> {
    // A malformed request ends in the HTTP layer, which responds without a body.
    let is_bare = response.header("x-request-id").is_empty() && response.text.is_empty();
    let Some((path, item)) = template(asked.url.path()).filter(|_| !is_bare) else { return Ok(()) };
    // The response of a server with a base path to requests outside of it.
    if response.status == 404 && response.text.contains("ROUTE_NOT_FOUND") {
        return check_error(response);
    }
    // `HEAD` responds like `GET` without the body, so that only the status can be checked.
    if asked.method == Method::HEAD && item.get("head").is_none() {
        let is_described =
            item.get("get").is_some_and(|get| get["responses"].get(response.status.to_string()).is_some());
        let is_fit = response.text.is_empty() && (is_described || response.status == 405);
        return if is_fit { Ok(()) } else { Err(format!("HEAD {path} {} is not as GET", response.status)) };
    }
    let method = asked.method.as_str().to_lowercase();
    let place = format!("{} {path} {}", asked.method, response.status);
    let Some(operation) = item.get(&method) else {
        let is_refused = [405, 415, 429].contains(&response.status);
        return if is_refused { check_error(response) } else { Err(format!("{place}: no such operation")) };
    };
    let pointer = format!("/paths/{}/{method}", escape(path));
    let found = &operation["responses"][response.status.to_string()];
    let (pointer_of_response, described) =
        resolve(&format!("{pointer}/responses/{}", response.status), found)
            .ok_or(format!("{place} is not described"))?;
    check_headers(described, &response.headers).map_err(|reason| format!("{place}: {reason}"))?;
    check_body(&pointer_of_response, described, response).map_err(|reason| format!("{place}: {reason}"))?;
    if (200..300).contains(&response.status) {
        check_request(&pointer, operation, asked).map_err(|reason| format!("{place}: {reason}"))?;
    }
    Ok(())
}

/// Checks an event, as customers and feed readers get it, against the document.
pub fn check_event(event: &Value) -> Result<(), String> {
    validate("/components/schemas/Event", event)
}

/// Every operation: its path, its method and its description.
pub fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let of_path = |(path, item): (&'static String, &'static Value)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

/// An example of an operation's body; empty when it takes none.
pub fn example(operation: &Value) -> String {
    let content = &operation["requestBody"]["content"];
    content["application/json"].get("example").map(Value::to_string).unwrap_or_default()
}

/// The path of the document that matches a URL path; the one with the most fixed parts, as the server chooses.
pub fn template(path: &str) -> Option<(&'static str, &'static Value)> {
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let names: Vec<&str> = template.split('/').collect();
        let is_same =
            |(name, part): (&&str, &&str)| name == part || (name.starts_with('{') && !part.is_empty());
        names.len() == parts.len() && names.iter().zip(&parts).all(is_same)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fitting = paths.iter().filter(|(template, _)| fits(template));
    fitting
        .min_by_key(|(template, _)| template.matches('{').count())
        .map(|(path, item)| (path.as_str(), item))
}

/// Follows a reference in the document; returns the target's pointer and value.
pub fn resolve(pointer: &str, value: &'static Value) -> Option<(String, &'static Value)> {
    match value["$ref"].as_str() {
        Some(reference) => {
            let target = reference.strip_prefix('#')?;
            Some((target.to_owned(), DOCUMENT.pointer(target)?))
        }
        None => (!value.is_null()).then(|| (pointer.to_owned(), value)),
    }
}

/// Whether the value fits the schema at this pointer.
pub fn validate(pointer: &str, value: &Value) -> Result<(), String> {
    let (sender, receiver) = channel();
    JUDGE.send((pointer.to_owned(), value.clone(), sender)).unwrap();
    receiver.recv().unwrap()
}

/// A key, escaped as a part of a JSON pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn check_error(response: &Response) -> Result<(), String> {
    let body = serde_json::from_str(&response.text).map_err(|error| format!("no JSON: {error}"))?;
    validate("/components/schemas/Error", &body)
}

fn check_headers(described: &'static Value, headers: &HeaderMap) -> Result<(), String> {
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        if header["required"] == true && !headers.contains_key(name.as_str()) {
            return Err(format!("the header {name} is missing"));
        }
    }
    Ok(())
}

fn check_body(pointer: &str, described: &'static Value, response: &Response) -> Result<(), String> {
    let Some(contents) = described["content"].as_object() else {
        return if response.text.is_empty() {
            Ok(())
        } else {
            Err("a body that is not described".to_owned())
        };
    };
    if contents.contains_key("*/*") {
        return Ok(());
    }
    let kind = response.header("content-type");
    let content = contents.get(kind).ok_or_else(|| format!("the content type {kind:?} is not described"))?;
    if kind != "application/json" || content["schema"].is_null() {
        return Ok(());
    }
    let body = serde_json::from_str(&response.text).map_err(|error| format!("no JSON: {error}"))?;
    validate(&format!("{pointer}/content/application~1json/schema"), &body)
}

/// Checks that a successful request is one that the document allows.
fn check_request(pointer: &str, operation: &'static Value, asked: &Asked) -> Result<(), String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters =
        parameters.filter_map(|parameter| resolve("", parameter)).map(|(_, parameter)| parameter);
    let in_query: Vec<_> = parameters.filter(|one| one["in"] == "query").map(|one| &one["name"]).collect();
    for (name, _) in asked.url.query_pairs() {
        let is_described =
            in_query.iter().any(|known| **known == *name) || ["token", "ticket"].contains(&&*name);
        if !is_described {
            return Err(format!("the parameter {name} is not described"));
        }
    }
    // LINE may send anything.
    if operation["tags"] == json!(["LINE"]) {
        return Ok(());
    }
    if operation["requestBody"]["content"]["application/json"].is_null() || asked.body.is_empty() {
        return Ok(());
    }
    let body = serde_json::from_slice(&asked.body).map_err(|error| error.to_string())?;
    validate(&format!("{pointer}/requestBody/content/application~1json/schema"), &body)
}

fn judge(cases: &Receiver<Case>) {
    let mut contract = Contract::new(DOCUMENT.clone());
    for (pointer, value, sender) in cases {
        // A test that has failed meanwhile no longer waits.
        sender.send(contract.validate(&pointer, &value)).ok();
    }
}

impl Contract {
    fn new(mut document: Value) -> Self {
        close(&mut document["components"]["schemas"]);
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(PLACE, document).unwrap();
        Self { compiler, schemas: Schemas::new(), known: HashMap::new() }
    }

    fn validate(&mut self, pointer: &str, value: &Value) -> Result<(), String> {
        if !self.known.contains_key(pointer) {
            let schema = self.compiler.compile(&format!("{PLACE}#{pointer}"), &mut self.schemas);
            self.known.insert(pointer.to_owned(), schema.map_err(|error| format!("{error:#}"))?);
        }
        let index = self.known[pointer];
        self.schemas.validate(value, index).map_err(|error| format!("{error:#}\n{value}"))
    }
}

/// Clients must tolerate unknown keys; here, with the document and the program of the same version, each key must be
/// described.
fn close(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        let is_open = object.get("type").is_some_and(|kind| kind == "object")
            && object.contains_key("properties")
            && !object.contains_key("additionalProperties");
        if is_open {
            object.insert("additionalProperties".to_owned(), false.into());
        }
        object.values_mut().for_each(close);
    } else if let Some(array) = value.as_array_mut() {
        array.iter_mut().for_each(close);
    }
}
