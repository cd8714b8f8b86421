//! Files in forms: as sent by `curl -F`, browsers and libraries, and ambiguous ones.

use awc::http::Method;
use serde_json::Value;

use crate::harness::response::Response;
use crate::harness::server::TestServer;
use crate::media::uploads::image;

const BOUNDARY: &str = "x1";

/// A part of a form.
fn part(disposition: &str, content_type: &str, bytes: &[u8]) -> Vec<u8> {
    let kind =
        if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n{kind}\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), format!("--{BOUNDARY}--\r\n").into_bytes()].concat()
}

async fn send(server: &TestServer, query: &str, content_type: &str, body: Vec<u8>) -> Response {
    let request = server.request(Method::POST, &format!("/v1.0/medias{query}"));
    Response::to(request.content_type(content_type), body).await
}

async fn send_form(server: &TestServer, query: &str, parts: &[Vec<u8>]) -> Response {
    send(server, query, &format!("multipart/form-data; boundary={BOUNDARY}"), form(parts)).await
}

#[actix_web::test]
async fn the_file_in_a_form_is_stored_without_the_form() {
    let server = TestServer::start();
    let png = image(8);

    for (query, disposition, content_type, name) in [
        ("", r#"name="file"; filename="menu.png""#, "image/png", "menu.png"),
        ("?filename=mine.png", r#"name="file"; filename="menu.png""#, "image/png", "mine.png"),
        ("", r#"name="anything"; filename="menu.png""#, "", "menu.png"),
        ("", r#"name="file"; filename*=UTF-8''%E9%A0%98.png"#, "application/octet-stream", "領.png"),
        ("", r#"name="file"; filename="""#, "image/png", ""),
        ("", r#"name="file"; filename="a%22b%0D%0A%41.png""#, "image/png", "a\"b%41.png"),
        ("", "name=\"file\"; filename=\"領\u{e9}.png\"", "image/png", "領\u{e9}.png"),
        ("", "name=file; filename=\"m.png\"\r\nContent-Transfer-Encoding: BINARY", "image/png", "m.png"),
        ("", r#"name="file""#, "image/png", ""),
    ] {
        let parts = [
            part("name=\"note\"", "", b"hello"),
            part(disposition, content_type, &png),
            part("name=a", "", b"b"),
        ];
        let response = send_form(&server, query, &parts).await;

        assert_eq!(response.status, 200, "{disposition}: {response:?}");
        let shown = response.json();
        assert_eq!(
            (shown["filename"].as_str(), shown["type"].as_str()),
            (Some(name), Some("image")),
            "{disposition}"
        );
        assert_eq!(shown["size"], png.len(), "{disposition}");
        let mut stored = server.request(Method::GET, shown["uri"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(stored.body().await.unwrap(), png, "{disposition}");
    }
}

#[actix_web::test]
async fn empty_inputs_and_other_fields_are_ignored_wherever_they_are() {
    let server = TestServer::start();
    let png = image(8);
    let file = || part("name=\"a\"; filename=\"menu.png\"", "image/png", &png);

    for disposition in ["name=\"b\"; filename=\"\"", "name=\"file\"", "name=\"b\"", "filename=\"\""] {
        let beside = |bytes: &[u8]| part(disposition, "application/octet-stream", bytes);
        for parts in
            [[beside(b""), file()], [file(), beside(b"")], [beside(b""), part("name=\"file\"", "", &png)]]
        {
            let response = send_form(&server, "", &parts).await;

            assert_eq!(response.status, 200, "{disposition}: {response:?}");
            assert_eq!(response.json()["size"], png.len(), "{disposition}");
        }
    }
    for parts in
        [[part("name=\"file\"", "", b"a field"), file()], [file(), part("name=\"file\"", "", b"a field")]]
    {
        assert_eq!(send_form(&server, "", &parts).await.json()["filename"], "menu.png");
    }
    let large = vec![7; 300_000];
    let response = send_form(&server, "", &[part("name=\"file\"", "", &large)]).await;
    assert_eq!((response.status, &response.json()["size"]), (200, &Value::from(large.len())));
}

#[actix_web::test]
async fn a_file_name_that_is_not_utf_8_is_read_lossily() {
    let server = TestServer::start();
    let head = b"--x1\r\nContent-Disposition: form-data; name=\"a\"; filename=\"caf\xe9.png\"\r\n\r\n";
    let body = [head.as_slice(), &image(8), b"\r\n--x1--\r\n"].concat();

    let response = send(&server, "", "multipart/form-data; boundary=x1", body).await;

    assert_eq!(response.json()["filename"], "caf\u{fffd}.png", "{response:?}");
}

#[actix_web::test]
async fn a_parameter_that_is_not_text_is_rejected() {
    let server = TestServer::start();

    let response = send(&server, "?filename=a%FF.txt", "text/plain", b"x".to_vec()).await;

    assert_eq!(response.status, 400, "{response:?}");
    assert!(response.text.contains("`filename` must be UTF-8"), "{}", response.text);
}

#[actix_web::test]
async fn an_ambiguous_form_is_rejected_with_advice_and_leaves_nothing() {
    let server = TestServer::start();
    let png = image(8);
    let file = |name: &str| part(&format!("name=\"file\"; filename=\"{name}\""), "image/png", &png);
    let encoded = |header: &str| part(&format!("name=\"file\"; filename=\"a.png\"\r\n{header}"), "", &png);
    let whole = form(&[file("a.png")]);
    let multipart = format!("multipart/form-data; boundary={BOUNDARY}");
    let multipart = multipart.as_str();

    for (content_type, body, status, word) in [
        (multipart, form(&[file("a.png"), file("b.png")]), 400, "several files"),
        (multipart, form(&[file("a.png"), file("")]), 400, "several files"),
        (multipart, form(&[part("name=\"a\"; filename=\"\"", "", b"")]), 400, "no file"),
        (multipart, form(&[encoded("Content-Transfer-Encoding: base64")]), 415, "as they are"),
        (multipart, form(&[encoded("content-transfer-encoding:quoted-printable")]), 415, "as they are"),
        (multipart, form(&[encoded("Content-Encoding: gzip")]), 415, "as they are"),
        (multipart, form(&[part("name=\"a\"", "", b"b")]), 400, "no file"),
        (multipart, form(&[]), 400, "no file"),
        (multipart, form(&[part("name=\"file\"; filename=\"a\"", "", b"")]), 400, "empty"),
        (multipart, whole[..whole.len() - 8].to_vec(), 400, "form"),
        (multipart, whole[..whole.len() / 2].to_vec(), 400, "form"),
        (multipart, b"no form at all".to_vec(), 400, "form"),
        ("multipart/form-data", whole.clone(), 400, "form"),
        (multipart, form(&[part("name=\"a\"", "", &vec![b'a'; 70_000]), file("a.png")]), 413, "65536"),
        (multipart, form(&vec![part("name=\"a\"", "", b"b"); 40]), 400, "32 parts"),
        (multipart, form(&[part("name=\"file\"; filename=\"a\"", "video/mp4", &png)]), 415, "MP4"),
        ("multipart/mixed; boundary=x1", whole.clone(), 415, "multipart/form-data"),
        ("application/x-www-form-urlencoded", b"file=menu.png".to_vec(), 415, "-F file=@"),
    ] {
        let response = send(&server, "", content_type, body).await;
        assert_eq!(response.status, status, "{content_type}: {response:?}");
        assert!(response.text.contains(word), "{word}: {}", response.text);
    }
    let stored: i64 = server.value("SELECT count(*) FROM medias");
    assert_eq!(stored, 0);
}

#[actix_web::test]
async fn a_form_repeated_with_its_key_can_have_another_boundary() {
    let server = TestServer::start();
    let png = image(8);
    let send = async |boundary: &str, bytes: &[u8]| {
        let file = part("name=\"file\"; filename=\"a.png\"", "image/png", bytes);
        let body = String::from_utf8_lossy(&form(&[])).replace(BOUNDARY, boundary).into_bytes();
        let head = format!("--{boundary}");
        let file = [head.as_bytes(), &file[BOUNDARY.len() + 2..]].concat();
        let request = server.request(Method::POST, "/v1.0/medias").insert_header(("idempotency-key", "one"));
        let kind = format!("multipart/form-data; boundary={boundary}");
        Response::to(request.content_type(kind), [file, body].concat()).await
    };

    let (first, again) = (send("one", &png).await, send("another", &png).await);
    let other = send("one", &image(9)).await;

    let id = |response: &Response| response.json()["id"].clone();
    assert_eq!((id(&first), again.header("idempotency-replayed")), (id(&again), "true"));
    assert_ne!(id(&first), Value::Null);
    assert_eq!((other.status, other.reason().as_str()), (422, "IDEMPOTENCY_KEY_REUSED"));
}
