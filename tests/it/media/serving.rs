//! Serving files to the customer, whatever was sent.

use awc::http::Method;
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use serde_json::json;

use crate::harness::response::Response;
use crate::harness::server::TestServer;
use crate::media::{download, image, media_once, noise, prepare, send};

#[actix_web::test]
async fn a_file_is_served_whole_in_ranges_or_as_not_modified() {
    let server = TestServer::start();
    let bytes = image(1, 200_000);
    send(&server, "image", bytes.clone()).await;
    let media = media_once(&server, "stored").await;
    let uri = media["uri"].as_str().unwrap();

    let whole = download(&server, uri, &[]).await;
    let part = download(&server, uri, &[("range", "bytes=100000-169999")]).await;
    let end = download(&server, uri, &[("range", "bytes=-10")]).await;
    let again = download(&server, uri, &[("if-none-match", whole.header("etag"))]).await;
    let behind =
        Response::to(server.request(Method::GET, uri).insert_header(("range", "bytes=200011-")), "").await;

    assert_eq!((whole.status, &whole.body), (200, &bytes));
    assert_eq!((whole.header("content-length"), whole.header("accept-ranges")), ("200011", "bytes"));
    assert_eq!((part.status, part.body.as_slice()), (206, &bytes[100_000..170_000]));
    assert_eq!(part.header("content-range"), "bytes 100000-169999/200011");
    assert_eq!((end.status, end.body.as_slice()), (206, &bytes[200_001..]));
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, whole.header("etag")));
    assert_eq!((behind.status, behind.reason().as_str()), (416, "RANGE_NOT_SATISFIABLE"));
    assert_eq!(behind.header("content-range"), "bytes */200011");
}

#[actix_web::test]
async fn a_preview_is_the_small_image_that_line_makes() {
    let server = TestServer::start();
    send(&server, "image", image(1, 1_000)).await;
    let media = media_once(&server, "stored").await;

    let preview = download(&server, media["preview_uri"].as_str().unwrap(), &[]).await;

    assert_eq!((preview.status, preview.header("content-type")), (200, "image/png"));
    assert!(preview.body.starts_with(b"\x89PNG"));
    assert!(preview.header("content-disposition").starts_with("inline; "));
    send(&server, "file", b"%PDF-1.7".to_vec()).await;
    let file = media_once(&server, "stored").await;
    assert_eq!(file.get("preview_uri"), None);
    let none = server.get(&format!("{}/preview", file["uri"].as_str().unwrap())).await;
    assert_eq!((none.status, none.reason().as_str()), (404, "MEDIA_NOT_FOUND"));
}

#[actix_web::test]
async fn content_that_a_browser_could_run_is_served_only_as_an_attachment() {
    let server = TestServer::start();
    for (bytes, content_type, shown) in [
        (image(1, 10), "image/jpeg", "inline"),
        (b"GIF89a/*<script>alert(1)</script>*/=1".to_vec(), "image/gif", "inline"),
        (
            b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>".to_vec(),
            "application/octet-stream",
            "attachment",
        ),
        (b"<!DOCTYPE html><script>alert(1)</script>".to_vec(), "application/octet-stream", "attachment"),
        (b"%PDF-1.7 /JS".to_vec(), "application/pdf", "attachment"),
        (b"\0".to_vec(), "application/octet-stream", "attachment"),
    ] {
        send(&server, "image", bytes.clone()).await;
        let media = media_once(&server, "stored").await;

        let served = download(&server, media["uri"].as_str().unwrap(), &[]).await;

        assert_eq!((served.header("content-type"), &served.body), (content_type, &bytes));
        assert!(served.header("content-disposition").starts_with(&format!("{shown}; ")), "{content_type}");
        assert_eq!(served.header("x-content-type-options"), "nosniff");
        assert_eq!(served.header("content-security-policy"), "sandbox; default-src 'none'");
    }
}

#[actix_web::test]
async fn a_hostile_file_name_stays_a_name() {
    let server = TestServer::start();
    for (name, disposition) in [
        (
            "../../領収書\".pdf",
            "attachment; filename=\"____.pdf\"; filename*=UTF-8''%E9%A0%98%E5%8F%8E%E6%9B%B8%22.pdf",
        ),
        (
            "a\r\nSet-Cookie: b=c",
            "attachment; filename=\"aSet-Cookie_ b_c\"; filename*=UTF-8''aSet%2DCookie%3A%20b%3Dc",
        ),
    ] {
        let mut sent = prepare(&server, "file", b"%PDF-1.7".to_vec());
        sent.event["message"]["fileName"] = json!(name);
        server.webhook(&[sent.event]).await;
        let media = media_once(&server, "stored").await;

        let served = download(&server, media["uri"].as_str().unwrap(), &[]).await;

        assert_eq!(
            served.header("content-disposition").replace("Set-Cookie%3A", "Set%2DCookie%3A"),
            disposition
        );
        assert_eq!(served.header("set-cookie"), "");
    }
}

#[actix_web::test]
async fn no_other_customer_learns_that_a_file_exists() {
    let server = TestServer::start();
    send(&server, "image", image(1, 1_000)).await;
    let media = media_once(&server, "stored").await;
    let (uri, preview) = (media["uri"].as_str().unwrap(), media["preview_uri"].as_str().unwrap());
    let stranger = CustomerId::new(Timestamp::now());

    for path in [uri, preview, "/v1.0/medias/7b0c2a52-3f0e-4d0b-9d7e-0b4f4ab7a001"] {
        let foreign = Response::to(server.request_of(stranger, Method::GET, path), "").await;
        let nobody = Response::to(server.anonymous(Method::GET, path), "").await;

        assert_eq!((foreign.status, foreign.reason().as_str()), (404, "MEDIA_NOT_FOUND"));
        assert_eq!(foreign.json()["error"]["message"], "no such media");
        assert_eq!(nobody.status, 401);
    }
    for path in ["/v1.0/medias/..%2f..%2fkaiwa.db", "/v1.0/medias/%2e%2e", "/v1.0/medias/kaiwa.db"] {
        assert_ne!(server.get(path).await.status, 200, "{path}");
    }
}

/// Far more bytes than the buffers between sender and reader hold.
const VIDEO_BYTES: usize = 24 << 20;

#[actix_web::test]
async fn a_large_video_is_streamed_in_both_directions() {
    let server = TestServer::start();
    let bytes = noise(9, VIDEO_BYTES);

    send(&server, "file", bytes.clone()).await;
    let media = media_once(&server, "stored").await;
    let served = download(&server, media["uri"].as_str().unwrap(), &[]).await;

    assert_eq!(media["size"], VIDEO_BYTES);
    assert!(served.body == bytes, "the bytes are those that were sent");
}
