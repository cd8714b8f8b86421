//! External files: addresses chosen by others.

use std::net::TcpListener;

use serde_json::json;

use crate::harness::eventually;
use crate::harness::external_server::ExternalServer;
use crate::harness::server::TestServer;
use crate::media::{download, media_once, names, prepare, send, unsend};

async fn send_from(server: &TestServer, url: &str) {
    send_with_preview(server, url, "").await;
}

async fn send_with_preview(server: &TestServer, url: &str, preview_url: &str) {
    let mut sent = prepare(server, "image", "LINE has other bytes");
    sent.event["message"]["contentProvider"] =
        json!({ "type": "external", "originalContentUrl": url, "previewImageUrl": preview_url });
    assert_eq!(server.webhook(&[sent.event]).await.status, 200);
}

#[actix_web::test]
async fn an_address_in_our_network_is_not_connected_to() {
    let server = TestServer::start();
    let inside = ExternalServer::start(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nGIF89a");
    let port = inside.url.rsplit_once(':').unwrap().1;

    for url in [
        inside.url.clone(),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
    ] {
        send_from(&server, &url).await;
        media_once(&server, "gone").await;
    }

    assert_eq!(inside.heads(), [""; 0]);
}

#[actix_web::test]
async fn an_allowed_address_is_asked_for_the_file_and_gets_no_token() {
    let server = TestServer::start_with(|config| config.limits.allowed_hosts = vec!["127.0.0.1".to_owned()]);
    let allowed = ExternalServer::start(
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncontent-type: text/html\r\n\r\nGIF89a1234",
    );

    send_from(&server, &format!("{}/picture.gif", allowed.url)).await;
    let media = media_once(&server, "stored").await;

    let served = download(&server, media["uri"].as_str().unwrap(), &[]).await;
    assert_eq!(
        (served.header("content-type"), served.body.as_slice()),
        ("image/gif", b"GIF89a1234".as_slice())
    );
    assert_eq!(media.get("preview_uri"), None);
    let heads = allowed.heads();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with("GET /picture.gif HTTP/1.1\r\n"), "{heads:?}");
    assert!(!heads[0].to_lowercase().contains("authorization"), "{heads:?}");
}

#[actix_web::test]
async fn a_redirect_into_our_network_is_not_followed() {
    let server = TestServer::start_with(|config| config.limits.allowed_hosts = vec!["localhost".to_owned()]);
    let outside = ExternalServer::start(
        b"HTTP/1.1 404 Not Found\r\nlocation: http://localhost/\r\ncontent-length: 0\r\n\r\n",
    );

    let url = outside.url.replace("127.0.0.1", "localhost");
    send_from(&server, &url).await;

    media_once(&server, "gone").await;
    assert_eq!(outside.heads().len(), 1);
}

#[actix_web::test]
async fn a_preview_is_fetched_from_its_own_address_without_a_token() {
    let server = TestServer::start_with(|config| config.limits.allowed_hosts = vec!["127.0.0.1".to_owned()]);
    let (large, small) =
        (ExternalServer::with_file(b"GIF89a large"), ExternalServer::with_file(b"GIF89a small"));

    send_with_preview(&server, &large.url, &small.url).await;
    let media = media_once(&server, "stored").await;

    let served = download(&server, media["preview_uri"].as_str().unwrap(), &[]).await;
    assert_eq!(
        (served.header("content-type"), served.body.as_slice()),
        ("image/gif", b"GIF89a small".as_slice())
    );
    let whole = download(&server, media["uri"].as_str().unwrap(), &[]).await;
    assert_eq!(whole.body, b"GIF89a large");
    let heads = [large.heads(), small.heads()].concat();
    assert_eq!(heads.len(), 2);
    assert!(!heads.concat().to_lowercase().contains("authorization"), "{heads:?}");
}

#[actix_web::test]
async fn a_preview_that_is_not_an_image_or_is_in_our_network_is_left_out() {
    let server = TestServer::start_with(|config| config.limits.allowed_hosts = vec!["localhost".to_owned()]);
    let large = ExternalServer::with_file(b"GIF89a large");
    let (page, inside) =
        (ExternalServer::with_file(b"<script>alert(1)</script>"), ExternalServer::with_file(b"GIF89a"));
    let allowed = |host: &ExternalServer| host.url.replace("127.0.0.1", "localhost");

    for preview_url in [allowed(&page), inside.url.clone(), "file:///etc/passwd".to_owned()] {
        send_with_preview(&server, &allowed(&large), &preview_url).await;
        assert_eq!(media_once(&server, "stored").await.get("preview_uri"), None, "{preview_url}");
    }

    assert_eq!((page.heads().len(), inside.heads().len()), (1, 0));
    assert_eq!(names(&server).len(), 3, "only the files themselves are stored");
}

#[actix_web::test]
async fn hosts_that_never_respond_delay_neither_a_file_from_line_nor_its_removal() {
    let server = TestServer::start_with(|config| config.limits.allowed_hosts = vec!["127.0.0.1".to_owned()]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for _ in 0..20 {
        send_from(&server, &format!("http://{}/", silent.local_addr().unwrap())).await;
    }

    let sent = send(&server, "file", "from LINE").await;
    media_once(&server, "stored").await;
    assert_eq!(names(&server).len(), 1);

    unsend(&server, &sent).await;
    eventually(|| names(&server).is_empty()).await;
}
