//! A server that answers each connection as a closure says, down to the byte.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use f9_http::{Url, parse_url};

pub(crate) struct Server {
    pub(crate) url: Url,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Calls `answer` with the number of the connection (from 0) for each, on a thread of its own.
    pub(crate) fn start(answer: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url =
            parse_url(&format!("http://{}/some/path?query=canary", listener.local_addr().unwrap())).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, answer) = (Arc::clone(&connections), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
                let number = count.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || answer(number, &mut stream));
            }
        });
        Self { url, connections }
    }

    /// Answers every request with these bytes and closes.
    pub(crate) fn saying(answer: &'static str) -> Self {
        Self::start(move |_, stream| {
            read_head(stream);
            stream.write_all(answer.as_bytes()).unwrap();
        })
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The head of a request.
pub(crate) fn read_head(stream: &mut (impl Read + ?Sized)) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A chunked body, and whether it came to its end.
pub(crate) fn read_chunked(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut stream = BufReader::new(stream);
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).unwrap_or(0);
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { return (body, false) };
        let mut chunk = vec![0; size + 2];
        if stream.read_exact(&mut chunk).is_err() {
            return (body, false);
        }
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
