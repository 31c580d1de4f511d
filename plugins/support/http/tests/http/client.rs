//! What the client promises of plain HTTP.

use std::{
    io::{self, Read, Write},
    num::NonZeroU32,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use f9_http::{Body, Client, ClientOptions, Pace, Request, Response, RetryPolicy};
use f9_plugin_api::{Context, Error, ErrorKind, Result, Secret};

use crate::server::{Server, read_chunked, read_head};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

fn client() -> Client {
    let mut options = ClientOptions::default();
    options.inactivity_timeout = Duration::from_secs(10);
    Client::new(&options, Context::detached()).unwrap()
}

fn impatient(inactivity: u64) -> Client {
    let mut options = ClientOptions::default();
    options.inactivity_timeout = Duration::from_millis(inactivity);
    Client::new(&options, Context::detached()).unwrap()
}

fn get(server: &Server) -> Request<'static> {
    Request::get(server.url.clone())
}

fn text(response: Result<Response>) -> Result<String> {
    let bytes = response?.error_for_status()?.bytes(1 << 20)?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn an_answer_is_read_whole_or_as_a_stream() {
    let server = Server::saying(OK);
    assert_eq!(text(client().send(get(&server))).unwrap(), "hello");
    let mut streamed = String::new();
    client().send(get(&server)).unwrap().into_reader().read_to_string(&mut streamed).unwrap();
    assert_eq!(streamed, "hello");
}

#[test]
fn it_can_be_used_and_dropped_on_a_thread_that_runs_an_async_runtime() {
    let server = Server::saying(OK);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answers = runtime.block_on(async {
        let client = client();
        // More often than tokio lets one task go on without a pause.
        (0..300).map(|_| text(client.send(get(&server)))).collect::<Result<Vec<_>>>()
    });
    assert_eq!(answers.unwrap().len(), 300);
}

#[test]
fn many_threads_share_a_client() {
    let server = Server::saying(OK);
    let client = client();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(text(client.send(get(&server))).unwrap(), "hello");
                }
            });
        }
    });
    assert_eq!(server.connections(), 160);
}

#[test]
fn a_request_streams_from_a_reader() {
    let (tell, told) = mpsc::channel();
    let server = Server::start(move |_, stream| {
        let head = read_head(stream);
        tell.send((head, read_chunked(stream))).unwrap();
        stream.write_all(OK.as_bytes()).unwrap();
    });
    let content: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let mut reader = &content[..];
    let body = Body::Reader(&mut reader, None);
    assert_eq!(text(client().send(Request::post(server.url.clone(), "x/y", body))).unwrap(), "hello");
    let (head, (body, complete)) = told.recv().unwrap();
    assert!(head.contains("content-type: x/y"), "{head}");
    assert!(complete && body == content);
}

/// Yields some bytes and then an error.
struct Breaking(usize);

impl Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(Error::new(ErrorKind::Integrity, "the source is damaged").into());
        }
        let read = buffer.len().min(self.0);
        self.0 -= read;
        Ok(read)
    }
}

#[test]
fn a_request_whose_reader_fails_never_looks_complete_to_the_server() {
    for length in [None, Some(200_000)] {
        let (tell, told) = mpsc::channel();
        let server = Server::start(move |_, stream| {
            read_head(stream);
            let complete = match length {
                None => read_chunked(stream).1,
                Some(length) => stream.read_exact(&mut vec![0; length as usize]).is_ok(),
            };
            tell.send(complete).unwrap();
        });
        let mut reader = Breaking(150_000);
        let body = Body::Reader(&mut reader, length);
        let error = client().send(Request::post(server.url.clone(), "x/y", body)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(!told.recv_timeout(Duration::from_secs(5)).unwrap());
    }
}

#[test]
fn an_answer_before_the_request_is_read_is_taken() {
    let server = Server::saying("HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let mut reader = io::repeat(7).take(100 << 20);
    let body = Body::Reader(&mut reader, None);
    let result = client().send(Request::post(server.url.clone(), "x/y", body));
    // The server closes on unread data, so its answer may be lost on the way; never may it hang or succeed.
    let error = result.and_then(Response::error_for_status).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Network), "{error:?}");
}

#[test]
fn a_silent_server_is_given_up() {
    let server = Server::start(|_, stream| {
        read_head(stream);
        thread::sleep(Duration::from_secs(30));
    });
    let start = Instant::now();
    let error = impatient(300).send(get(&server)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_falls_silent_in_the_middle_is_given_up() {
    let server = Server::start(|_, stream| {
        read_head(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
        thread::sleep(Duration::from_secs(30));
    });
    let error = text(impatient(300).send(get(&server))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn a_server_that_trickles_is_bounded_by_the_total_time() {
    let server = Server::start(|_, stream| {
        read_head(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        while stream.write_all(b".").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let request = get(&server).timeout(Some(Duration::from_millis(500)));
    let start = Instant::now();
    assert_eq!(text(client().send(request)).unwrap_err().kind(), ErrorKind::Timeout);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_that_breaks_off_is_an_error() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let server = Server::start(move |_, stream| {
            read_head(stream);
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n4\r\nhalf\r\n").unwrap();
        });
        assert_eq!(text(client().send(get(&server))).unwrap_err().kind(), ErrorKind::Network, "{head}");
    }
}

#[test]
fn a_body_larger_than_allowed_is_refused() {
    let server = Server::start(|_, stream| {
        read_head(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let error = client().send(get(&server)).unwrap().bytes(1 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteRefused);
}

#[test]
fn nobody_there_is_a_network_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url =
        f9_http::parse_url(&format!("http://{}/x?query=canary", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = client().send(Request::get(url)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.causes().any(|cause| cause.contains("refused")), "{error:?}");
    assert!(!format!("{error:?}").contains("canary"));
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Server::saying(OK);
    let target = elsewhere.url.to_string();
    let server = Server::start(move |_, stream| {
        read_head(stream);
        write!(stream, "HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let error = text(client().send(get(&server).bearer(&Secret::new("canary")))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RemoteRefused);
    assert!(error.advice().unwrap().contains(elsewhere.url.authority()), "{error:?}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let server = Server::start(|_, stream| {
        let head = read_head(stream);
        let given = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
        assert!(given == "Bearer canary" || given == "Basic dXNlcjpjYW5hcnk=", "{given}");
        let words = format!("you said {given} and I say no");
        let length = words.len();
        write!(
            stream,
            "HTTP/1.1 400 No\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{words}"
        )
        .unwrap();
    });
    let secret = Secret::new("canary");
    for request in [get(&server).bearer(&secret), get(&server).basic("user", &secret)] {
        let error = text(client().send(request)).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("and I say no"), "{shown}");
        assert!(!shown.contains("canary") && !shown.contains("dXNl"), "{shown}");
    }
}

#[test]
fn a_header_that_cannot_be_sent_is_refused_unseen() {
    let server = Server::saying(OK);
    let error = client().send(get(&server).bearer(&Secret::new("canary\n"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConnection);
    assert!(!format!("{error:?}").contains("canary"));
    assert_eq!(server.connections(), 0);
}

/// Fails the first requests with `answer`, then succeeds.
fn failing(times: usize, answer: &'static str) -> Server {
    Server::start(move |number, stream| {
        read_head(stream);
        stream.write_all(if number < times { answer } else { OK }.as_bytes()).unwrap();
    })
}

const BUSY: &str =
    "HTTP/1.1 503 Busy\r\nretry-after-ms: 10\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";

#[test]
fn retries_happen_when_asked_for() {
    let server = failing(2, BUSY);
    assert_eq!(client().send(get(&server)).unwrap().status(), 503);
    let server = failing(2, BUSY);
    assert_eq!(text(client().send(get(&server).retry(RetryPolicy::times(2)))).unwrap(), "hello");
    assert_eq!(server.connections(), 3);
    let server = failing(9, BUSY);
    let response = client().send(get(&server).retry(RetryPolicy::times(2))).unwrap();
    assert_eq!((response.status().as_u16(), server.connections()), (503, 3));
    assert_eq!(&response.bytes(100).unwrap()[..], b"busy", "the last answer can still be read");
}

#[test]
fn a_connection_that_drops_is_retried() {
    let server = failing(2, "");
    assert_eq!(text(client().send(get(&server).retry(RetryPolicy::times(2)))).unwrap(), "hello");
    assert_eq!(server.connections(), 3);
}

#[test]
fn a_final_answer_is_not_retried() {
    let server = failing(9, BUSY);
    let policy = RetryPolicy { is_final: |body| body == b"busy", ..RetryPolicy::times(5) };
    assert_eq!(&client().send(get(&server).retry(policy)).unwrap().bytes(100).unwrap()[..], b"busy");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_streamed_request_is_not_retried() {
    let server = failing(1, BUSY);
    let mut reader: &[u8] = b"";
    let request = Request::post(server.url.clone(), "x/y", Body::Reader(&mut reader, Some(0)));
    assert_eq!(client().send(request.retry(RetryPolicy::times(5))).unwrap().status(), 503);
}

#[test]
fn the_total_time_bounds_retries_too() {
    let server =
        failing(99, "HTTP/1.1 503 Busy\r\nretry-after: 60\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let request = get(&server).retry(RetryPolicy::times(9)).timeout(Some(Duration::from_millis(300)));
    let start = Instant::now();
    assert_eq!(client().send(request).unwrap_err().kind(), ErrorKind::Timeout);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn retries_take_their_turn_too_and_waiting_is_not_counted() {
    let server = failing(2, BUSY);
    let pace = Pace::new("retries", NonZeroU32::new(1).unwrap(), Duration::from_millis(200));
    let request = get(&server).retry(RetryPolicy::times(2)).pace(Some(pace));
    let start = Instant::now();
    // Without the two turns that have to be waited for, there is time enough.
    assert_eq!(text(client().send(request.timeout(Some(Duration::from_millis(390))))).unwrap(), "hello");
    assert!(start.elapsed() >= Duration::from_millis(400));
}
