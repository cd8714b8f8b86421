//! Answers of a peer that keeps to nothing: cut at every byte, preceded by interim ones, followed by bytes of nobody.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use futures_util::StreamExt;
use futures_util::stream;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// How an answer says where its body ends, with the body `hello, world` or none.
const ANSWERS: [(&str, &[u8]); 11] = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhello, world", BODY),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nhello, \r\n5\r\nworld\r\n0\r\n\r\n", BODY),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n00c;a=\"0\"\r\nhello, world\r\n0;z\r\nX-Sum: 1\r\n\r\n",
        BODY,
    ),
    // The coding tells, not the length (RFC 9112, 6.3).
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

/// Answers whose body ends with the connection.
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

/// A peer that does this with each connection, in order of their arrival.
fn peer(each: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().for_each(|connection| each(connection.unwrap())));
    url
}

/// Takes a request without a body; its path says which answer is wanted.
fn request(connection: &mut TcpStream) -> Option<usize> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut piece = [0; 1_024];
        let length = connection.read(&mut piece).ok().filter(|length| *length > 0)?;
        head.extend_from_slice(&piece[..length]);
    }
    let head = String::from_utf8(head).unwrap();
    Some(head.split(['/', ' ']).nth(2).unwrap().parse().unwrap_or_default())
}

/// A peer that answers the path `/n` with the `n`th of these and ends the connection.
fn answering(answers: Vec<Vec<u8>>) -> String {
    peer(move |mut connection| {
        let number = request(&mut connection).unwrap();
        connection.write_all(&answers[number]).unwrap();
    })
}

fn client(idle: Duration) -> Client {
    Client::new(Settings { idle, ..Settings::new(PATIENCE, 8) })
}

async fn ask(client: &Client, url: &str) -> Result<(u16, Bytes, bool), RequestFailure> {
    let mut response = client.send(Request::new().uri(url), "", PATIENCE).await?;
    let body = response.whole(1_024).await?;
    Ok((response.status(), body, response.ends_by_closing()))
}

/// Asks for all of them, and lets each be judged by its number.
async fn ask_all(answers: Vec<Vec<u8>>, judge: impl Fn(usize, Result<(u16, Bytes, bool), RequestFailure>)) {
    let (count, url, client) = (answers.len(), answering(answers), client(Duration::ZERO));
    let asked =
        stream::iter(0..count).map(async |number| (number, ask(&client, &format!("{url}{number}")).await));
    asked.buffer_unordered(8).for_each(async |(number, answer)| judge(number, answer)).await;
}

#[actix_web::test]
async fn an_answer_that_is_cut_anywhere_is_an_error_and_a_whole_one_is_itself_whatever_came_before_it() {
    let mut cases = Vec::new();
    for (place, (answer, body)) in ANSWERS.into_iter().enumerate() {
        for interim in INTERIM.into_iter().take(if place == 0 { INTERIM.len() } else { 2 }) {
            let whole = [interim, answer].concat();
            // What comes before does not depend on what follows: it is cut once.
            let begin = if place == 0 { 0 } else { interim.len() };
            cases
                .extend((begin..=whole.len()).map(|cut| (whole[..cut].to_owned(), cut == whole.len(), body)));
        }
    }

    let answers = cases.iter().map(|(sent, ..)| sent.clone().into_bytes()).collect();
    ask_all(answers, |number, answer| {
        let (sent, is_whole, body) = &cases[number];
        match answer {
            Ok((_, came, ends_by_closing)) => {
                assert_eq!((*is_whole, &came[..], ends_by_closing), (true, *body, false), "{sent:?}");
            }
            Err(failure) => assert_eq!((*is_whole, failure.kind), (false, FailureKind::Broken), "{sent:?}"),
        }
    })
    .await;
}

#[actix_web::test]
async fn a_body_that_a_closed_connection_ends_says_so_wherever_it_is_cut() {
    let mut cases = Vec::new();
    for answer in CLOSING {
        let head = answer.find("\r\n\r\n").unwrap() + 4;
        cases.extend((0..=answer.len()).map(|cut| (&answer[..cut], cut.checked_sub(head))));
    }

    let answers = cases.iter().map(|(sent, _)| sent.as_bytes().to_vec()).collect();
    ask_all(answers, |number, answer| {
        let (sent, length) = cases[number];
        match length {
            Some(length) => {
                assert_eq!(answer, Ok((200, Bytes::from_static(&BODY[..length]), true)), "{sent:?}");
            }
            None => assert_eq!(answer.map_err(|failure| failure.kind), Err(FailureKind::Broken), "{sent:?}"),
        }
    })
    .await;
}

#[actix_web::test]
async fn what_is_no_answer_is_unreadable() {
    let answers = [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ];

    ask_all(answers.iter().map(|answer| answer.as_bytes().to_vec()).collect(), |number, answer| {
        let kind = answer.map_err(|failure| failure.kind);
        assert_eq!(kind, Err(FailureKind::Unreadable), "{:?}", answers[number]);
    })
    .await;
}

#[actix_web::test]
async fn an_answer_with_as_many_headers_as_a_head_may_have_is_read() {
    let counts = [0, 60, 94, 95, 96, 97, 100, 127];
    let answers = counts.iter().flat_map(|count| {
        ["x-other", "date", "retry-after"].map(|name| {
            let headers = format!("{name}: 1\r\n").repeat(*count);
            format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 12\r\n\r\nhello, world").into_bytes()
        })
    });

    ask_all(answers.collect(), |number, answer| {
        assert_eq!(answer, Ok((200, Bytes::from_static(BODY), false)), "{number}");
    })
    .await;
}

#[actix_web::test]
async fn a_body_in_a_coding_that_nobody_asked_for_is_unreadable() {
    let cases = [("gzip", false), ("br", false), ("identity, gzip", false), ("identity", true), ("", true)];
    let answers = cases.map(|(coding, _)| {
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: 12\r\n\r\nhello, world")
            .into_bytes()
    });

    ask_all(answers.to_vec(), |number, answer| {
        let (coding, is_readable) = cases[number];
        match answer {
            Ok((_, body, _)) => assert_eq!((is_readable, &body[..]), (true, BODY), "{coding}"),
            Err(failure) => {
                assert_eq!((is_readable, failure.kind), (false, FailureKind::Unreadable), "{coding}");
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn a_request_that_stands_alone_uses_no_connection_that_was_idle_and_leaves_none() {
    let (count, counted) = std::sync::mpsc::channel();
    let url = peer(move |mut connection| {
        let count = count.clone();
        std::thread::spawn(move || {
            count.send(()).unwrap();
            while request(&mut connection).is_some() {
                connection.write_all(ANSWERS[0].0.as_bytes()).unwrap();
            }
        });
    });

    let client = client(PATIENCE);
    for request in
        [Request::new(), Request::new(), Request::new().alone(), Request::new().alone(), Request::new()]
    {
        client.send(request.uri(&url), "", PATIENCE).await.unwrap().whole(1_024).await.unwrap();
    }

    assert_eq!(counted.try_iter().count(), 3, "one that is kept, and one for each that stands alone");
}

#[actix_web::test]
async fn a_connection_that_was_closed_while_it_was_idle_is_not_used() {
    let (close, closed) = std::sync::mpsc::channel();
    let url = peer(move |mut connection| {
        request(&mut connection).unwrap();
        connection.write_all(ANSWERS[0].0.as_bytes()).unwrap();
        drop(connection);
        close.send(()).unwrap();
    });

    let client = client(PATIENCE);
    for _ in 0..50 {
        assert_eq!(ask(&client, &url).await.unwrap().0, 200);
        // This thread looks at nothing until the other side has closed.
        closed.recv().unwrap();
    }
}

#[actix_web::test]
async fn what_may_be_repeated_is_asked_again_where_a_kept_connection_ends_without_a_byte_of_an_answer() {
    let (hear, heard) = std::sync::mpsc::channel();
    let url = peer(move |mut connection| {
        let mut is_new = true;
        while let Some(number) = request(&mut connection) {
            hear.send(number).unwrap();
            match number {
                // It is closed unanswered once it was idle.
                1 if !is_new => return,
                2 => return,
                3 => return connection.write_all(b"H").unwrap(),
                4 => return connection.write_all(INTERIM[1].as_bytes()).unwrap(),
                _ => connection.write_all(ANSWERS[0].0.as_bytes()).unwrap(),
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
        let client = client(PATIENCE);
        if before {
            ask(&client, &url).await.unwrap();
        }
        let request = Request::new().method(Method::POST).uri(format!("{url}{number}"));
        let request = if is_repeatable { request.repeatable() } else { request };

        let answer = client.send(request, "", PATIENCE).await;

        assert_eq!(answer.map(drop).map_err(|failure| failure.kind), expected, "{number}");
        let heard: Vec<_> = heard.try_iter().filter(|heard| *heard > 0).collect();
        assert_eq!(heard, vec![number; times]);
    }
}

#[actix_web::test]
async fn interim_answers_without_an_end_are_no_answer_in_time() {
    let url = peer(|mut connection| {
        request(&mut connection);
        while connection.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").is_ok() {}
    });

    let request = Request::new().uri(url);
    let failure = client(Duration::ZERO).send(request, "", Duration::from_millis(50)).await.err().unwrap();

    assert_eq!(failure.kind, FailureKind::Late);
}

#[actix_web::test]
async fn a_switch_of_protocols_that_nobody_asked_for_is_an_answer() {
    let url = answering(vec![b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nx".to_vec()]);

    assert_eq!(ask(&client(PATIENCE), &url).await.unwrap().0, 101);
}

#[actix_web::test]
async fn one_connection_carries_answer_after_answer() {
    let url = peer(|mut connection| {
        let mut answers =
            INTERIM.iter().flat_map(|interim| ANSWERS.map(|(answer, _)| [interim, answer].concat()));
        while request(&mut connection).is_some() {
            let answer = answers
                .next()
                .unwrap()
                .replace("HTTP/1.0 200 OK", "HTTP/1.0 200 OK\r\nconnection: keep-alive");
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });

    let client = client(PATIENCE);
    for _ in INTERIM {
        for (answer, body) in ANSWERS {
            let (status, came, _) = ask(&client, &url).await.unwrap();

            assert_eq!(
                (&answer[9..12], came),
                (status.to_string().as_str(), Bytes::from_static(body)),
                "{answer:?}"
            );
        }
    }
}

#[actix_web::test]
async fn bytes_after_an_answer_are_never_the_next_answer() {
    let right = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright";
    let leftover = [right, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"].concat();
    let url = peer(move |mut connection| {
        while request(&mut connection).is_some() && connection.write_all(leftover.as_bytes()).is_ok() {}
    });

    let client = client(PATIENCE);
    for _ in 0..20 {
        // The peer cannot be used again for long; whoever asks it may find that out late.
        if let Ok((_, body, _)) = ask(&client, &url).await {
            assert_eq!(body, "right");
        }
    }
}

#[actix_web::test]
async fn an_answer_to_head_has_no_body_whatever_it_announces() {
    let url = answering(vec![b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n".to_vec()]);

    let request = Request::new().method(Method::HEAD).uri(url);
    let mut response = client(Duration::ZERO).send(request, "", PATIENCE).await.unwrap();

    assert_eq!((response.whole(0).await.unwrap().len(), response.ends_by_closing()), (0, false));
}
