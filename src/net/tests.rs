//! Responses of a peer that violates the protocol: truncated at every byte, after interim responses, followed
//! by unexpected bytes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use futures_util::StreamExt;
use futures_util::stream;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Complete responses with each way of delimiting the body, which is `hello, world` or empty.
const RESPONSES: [(&str, &[u8]); 11] = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world", BODY),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nhello, \r\n5\r\nworld\r\n0\r\n\r\n", BODY),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n00c;a=\"0\"\r\nhello, world\r\n0;z\r\nX-Sum: 1\r\n\r\n",
        BODY,
    ),
    // `Transfer-Encoding` overrides `Content-Length` (RFC 9112, 6.3).
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nc\r\nhello, world\r\n0\r\n\r\n",
        BODY,
    ),
    ("HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\nhello, world", BODY),
    ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Length: 12\r\n\r\nhello, world", BODY),
    ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
    ("HTTP/1.1 204 No Content\r\n\r\n", b""),
    ("HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n", b""),
    ("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\nc\r\nhello, world\r\n0\r\n\r\n", BODY),
];

/// Responses whose body ends with the connection.
const CLOSING: [&str; 3] = [
    "HTTP/1.1 200 OK\r\n\r\nhello, world",
    "HTTP/1.0 200 OK\r\n\r\nhello, world",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nConnection: close\r\n\r\nhello, world",
];

const BODY: &[u8] = b"hello, world";

const INTERIM: [&str; 4] = [
    "",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n",
];

/// A peer that handles connections in order of their arrival.
fn peer(each: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(|connection| each(connection.unwrap())));
    url
}

/// Reads a request without a body; its path is the number of the response.
fn request(connection: &mut TcpStream) -> Option<usize> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut chunk = [0; 1_024];
        let length = connection.read(&mut chunk).ok().filter(|length| *length > 0)?;
        head.extend_from_slice(&chunk[..length]);
    }
    let head = String::from_utf8(head).unwrap();
    Some(head.split(['/', ' ']).nth(2).unwrap().parse().unwrap_or_default())
}

/// A peer that responds to the path `/n` with the `n`th of these and closes the connection.
fn responding_peer(responses: Vec<Vec<u8>>) -> String {
    peer(move |mut connection| {
        let number = request(&mut connection).unwrap();
        connection.write_all(&responses[number]).unwrap();
    })
}

fn client(idle: Duration) -> Client {
    Client::new(Settings { idle, ..Settings::new(TIMEOUT, 8) })
}

async fn fetch(client: &Client, url: &str) -> Result<(u16, Bytes, bool), RequestFailure> {
    let mut response = client.send(Request::new().uri(url), "", TIMEOUT).await?;
    let body = response.read_all(1_024).await?;
    Ok((response.status(), body, response.ends_by_closing()))
}

/// Requests all of the responses and checks each by its number.
async fn fetch_all(
    responses: Vec<Vec<u8>>,
    check: impl Fn(usize, Result<(u16, Bytes, bool), RequestFailure>),
) {
    let (count, url, client) = (responses.len(), responding_peer(responses), client(Duration::ZERO));
    let results =
        stream::iter(0..count).map(async |number| (number, fetch(&client, &format!("{url}{number}")).await));
    results.buffer_unordered(8).for_each(async |(number, response)| check(number, response)).await;
}

#[actix_web::test]
async fn a_response_truncated_anywhere_is_an_error_and_a_complete_one_is_read_after_any_interim_response() {
    let mut cases = Vec::new();
    for (index, (response, body)) in RESPONSES.into_iter().enumerate() {
        for interim in INTERIM.into_iter().take(if index == 0 { INTERIM.len() } else { 2 }) {
            let complete = [interim, response].concat();
            // Interim responses do not depend on what follows, so they are truncated once only.
            let start = if index == 0 { 0 } else { interim.len() };
            cases.extend(
                (start..=complete.len()).map(|cut| (complete[..cut].to_owned(), cut == complete.len(), body)),
            );
        }
    }

    let responses = cases.iter().map(|(sent, ..)| sent.clone().into_bytes()).collect();
    fetch_all(responses, |number, response| {
        let (sent, is_complete, body) = &cases[number];
        match response {
            Ok((_, received, ends_by_closing)) => {
                assert_eq!((*is_complete, &received[..], ends_by_closing), (true, *body, false), "{sent:?}");
            }
            Err(failure) => {
                assert_eq!((*is_complete, failure.kind), (false, FailureKind::Broken), "{sent:?}");
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn a_body_that_ends_with_the_connection_is_marked_as_such_wherever_it_is_truncated() {
    let mut cases = Vec::new();
    for response in CLOSING {
        let head = response.find("\r\n\r\n").unwrap() + 4;
        cases.extend((0..=response.len()).map(|cut| (&response[..cut], cut.checked_sub(head))));
    }

    let responses = cases.iter().map(|(sent, _)| sent.as_bytes().to_vec()).collect();
    fetch_all(responses, |number, response| {
        let (sent, length) = cases[number];
        match length {
            Some(length) => {
                assert_eq!(response, Ok((200, Bytes::from_static(&BODY[..length]), true)), "{sent:?}");
            }
            None => {
                assert_eq!(response.map_err(|failure| failure.kind), Err(FailureKind::Broken), "{sent:?}");
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn what_is_not_a_response_is_unreadable() {
    let responses = [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ];

    fetch_all(responses.iter().map(|response| response.as_bytes().to_vec()).collect(), |number, response| {
        let kind = response.map_err(|failure| failure.kind);
        assert_eq!(kind, Err(FailureKind::Unreadable), "{:?}", responses[number]);
    })
    .await;
}

#[actix_web::test]
async fn a_response_with_the_maximum_number_of_headers_is_read() {
    let counts = [0, 60, 94, 95, 96, 97, 100, 127];
    let responses = counts.iter().flat_map(|count| {
        ["x-other", "date", "retry-after"].map(|name| {
            let headers = format!("{name}: 1\r\n").repeat(*count);
            format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 12\r\n\r\nhello, world").into_bytes()
        })
    });

    fetch_all(responses.collect(), |number, response| {
        assert_eq!(response, Ok((200, Bytes::from_static(BODY), false)), "{number}");
    })
    .await;
}

#[actix_web::test]
async fn a_body_with_an_unrequested_content_encoding_is_unreadable() {
    let cases = [("gzip", false), ("br", false), ("identity, gzip", false), ("identity", true), ("", true)];
    let responses = cases.map(|(coding, _)| {
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 12\r\n\r\nhello, world")
            .into_bytes()
    });

    fetch_all(responses.to_vec(), |number, response| {
        let (coding, is_readable) = cases[number];
        match response {
            Ok((_, body, _)) => assert_eq!((is_readable, &body[..]), (true, BODY), "{coding}"),
            Err(failure) => {
                assert_eq!((is_readable, failure.kind), (false, FailureKind::Unreadable), "{coding}");
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn a_request_on_a_new_connection_neither_reuses_one_nor_leaves_one_open() {
    let (count, counted) = std::sync::mpsc::channel();
    let url = peer(move |mut connection| {
        let count = count.clone();
        std::thread::spawn(move || {
            count.send(()).unwrap();
            while request(&mut connection).is_some() {
                connection.write_all(RESPONSES[0].0.as_bytes()).unwrap();
            }
        });
    });

    let client = client(TIMEOUT);
    for request in [
        Request::new(),
        Request::new(),
        Request::new().on_new_connection(),
        Request::new().on_new_connection(),
        Request::new(),
    ] {
        client.send(request.uri(&url), "", TIMEOUT).await.unwrap().read_all(1_024).await.unwrap();
    }

    assert_eq!(counted.try_iter().count(), 3, "one that is reused, and a new one for each of the others");
}

#[actix_web::test]
async fn an_idle_connection_that_was_closed_is_not_reused() {
    let (close, closed) = std::sync::mpsc::channel();
    let url = peer(move |mut connection| {
        request(&mut connection).unwrap();
        connection.write_all(RESPONSES[0].0.as_bytes()).unwrap();
        drop(connection);
        close.send(()).unwrap();
    });

    let client = client(TIMEOUT);
    for _ in 0..50 {
        assert_eq!(fetch(&client, &url).await.unwrap().0, 200);
        // This thread handles no I/O until the other side has closed.
        closed.recv().unwrap();
    }
}

#[actix_web::test]
async fn a_repeatable_request_is_retried_when_a_reused_connection_ends_without_a_byte_of_a_response() {
    let (hear, heard) = std::sync::mpsc::channel();
    let url = peer(move |mut connection| {
        let mut is_new = true;
        while let Some(number) = request(&mut connection) {
            hear.send(number).unwrap();
            match number {
                // An idle connection is closed without a response.
                1 if !is_new => return,
                2 => return,
                3 => return connection.write_all(b"H").unwrap(),
                4 => return connection.write_all(INTERIM[1].as_bytes()).unwrap(),
                _ => connection.write_all(RESPONSES[0].0.as_bytes()).unwrap(),
            }
            is_new = false;
        }
    });

    for (before, number, is_repeatable, expected, times) in [
        (true, 1, true, Ok(()), 2),
        (true, 1, false, Err(FailureKind::Broken), 1),
        (true, 2, true, Err(FailureKind::Broken), 2),
        (false, 2, true, Err(FailureKind::Broken), 1),
        (true, 3, true, Err(FailureKind::Broken), 1),
        (true, 4, true, Err(FailureKind::Broken), 1),
    ] {
        let client = client(TIMEOUT);
        if before {
            fetch(&client, &url).await.unwrap();
        }
        let request = Request::new().method(Method::POST).uri(format!("{url}{number}"));
        let request = if is_repeatable { request.repeatable() } else { request };

        let response = client.send(request, "", TIMEOUT).await;

        assert_eq!(response.map(drop).map_err(|failure| failure.kind), expected, "{number}");
        let heard: Vec<_> = heard.try_iter().filter(|heard| *heard > 0).collect();
        assert_eq!(heard, vec![number; times]);
    }
}

#[actix_web::test]
async fn endless_interim_responses_time_out() {
    let url = peer(|mut connection| {
        request(&mut connection);
        while connection.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").is_ok() {}
    });

    let request = Request::new().uri(url);
    let failure = client(Duration::ZERO).send(request, "", Duration::from_millis(50)).await.err().unwrap();

    assert_eq!(failure.kind, FailureKind::Timeout);
}

#[actix_web::test]
async fn an_unrequested_protocol_switch_is_a_response() {
    let url = responding_peer(vec![b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nx".to_vec()]);

    assert_eq!(fetch(&client(TIMEOUT), &url).await.unwrap().0, 101);
}

#[actix_web::test]
async fn one_connection_carries_many_responses() {
    let url = peer(|mut connection| {
        let mut responses =
            INTERIM.iter().flat_map(|interim| RESPONSES.map(|(response, _)| [interim, response].concat()));
        while request(&mut connection).is_some() {
            let response = responses
                .next()
                .unwrap()
                .replace("HTTP/1.0 200 OK", "HTTP/1.0 200 OK\r\nconnection: keep-alive");
            connection.write_all(response.as_bytes()).unwrap();
        }
    });

    let client = client(TIMEOUT);
    for _ in INTERIM {
        for (response, body) in RESPONSES {
            let (status, received, _) = fetch(&client, &url).await.unwrap();

            assert_eq!(
                (&response[9..12], received),
                (status.to_string().as_str(), Bytes::from_static(body)),
                "{response:?}"
            );
        }
    }
}

#[actix_web::test]
async fn bytes_after_a_response_are_never_taken_for_the_next_one() {
    let right = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright";
    let leftover = [right, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"].concat();
    let url = peer(move |mut connection| {
        while request(&mut connection).is_some() && connection.write_all(leftover.as_bytes()).is_ok() {}
    });

    let client = client(TIMEOUT);
    for _ in 0..20 {
        // The connection cannot be reused, which the client may notice late.
        if let Ok((_, body, _)) = fetch(&client, &url).await {
            assert_eq!(body, "right");
        }
    }
}

#[actix_web::test]
async fn a_response_to_head_has_no_body_whatever_it_announces() {
    let url = responding_peer(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n".to_vec()]);

    let request = Request::new().method(Method::HEAD).uri(url);
    let mut response = client(Duration::ZERO).send(request, "", TIMEOUT).await.unwrap();

    assert_eq!((response.read_all(0).await.unwrap().len(), response.ends_by_closing()), (0, false));
}
