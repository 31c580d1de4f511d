//! HTTP/1.1, as much of it as clients use.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

use crate::{Shared, answer::Answer, faults::Fault, routes};

/// A request as it came.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Answers the requests of one connection until either side ends it.
pub(crate) fn serve(shared: &Shared, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = read_request(&mut reader) {
        if converse(shared, &request, &mut writer).is_err() {
            break;
        }
    }
    // The server holds the stream too, to end it.
    let _ = writer.shutdown(Shutdown::Both);
}

/// Answers one request, or fails if the connection is to close.
fn converse(shared: &Shared, request: &Request, writer: &mut TcpStream) -> io::Result<()> {
    let (route, fault, latency) = {
        let mut state = shared.state();
        let route = routes::of(request);
        let fault = crate::faults::strike(&mut state.plans, route);
        (route, fault, state.settings.latency)
    };
    thread::sleep(latency);
    let closing = || io::Error::other("planned");
    let refused = match &fault {
        Some(Fault::Status(status, code)) => {
            Some(Answer::error(*status, "planned failure", None, Some(code)))
        }
        Some(Fault::RetryAfter(status, ms)) => {
            let answer = Answer::error(*status, "planned failure", None, None);
            Some(answer.header("retry-after-ms", &ms.to_string()))
        }
        Some(Fault::Page(status)) => Some(Answer::html(*status, "<html><h1>Bad gateway</h1></html>")),
        Some(Fault::DropBefore) => {
            shared.state().requests.push((route, 0));
            return Err(closing());
        }
        _ => None,
    };
    let mut answer = match refused {
        Some(answer) => answer,
        None => routes::answer(&mut shared.state(), route, request, fault.as_ref()),
    };
    shared.state().requests.push((route, answer.status));
    match fault {
        Some(Fault::DropAfter) => return Err(closing()),
        Some(Fault::Truncate) => {
            let bytes = answer.to_bytes();
            writer.write_all(&bytes[..bytes.len() - answer.body.len().div_ceil(2)])?;
            return Err(closing());
        }
        Some(Fault::Nonsense) => answer.body = br#"{"object":"nonsense","data":17}"#.to_vec(),
        Some(Fault::Garbage) => answer.body = b"<html>so sorry</html>".to_vec(),
        Some(Fault::Corrupt) => answer.corrupt(),
        Some(Fault::Stall(time)) => thread::sleep(time),
        _ => {}
    }
    writer.write_all(&answer.to_bytes())
}

/// The next request; `None` at the end of the connection.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::Error::other("no request line"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = read_headers(reader)?;
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| (decode(k), decode(v)))
            .collect(),
        headers,
        body: Vec::new(),
    };
    if request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        request.body = read_chunked(reader)?;
    } else if let Some(length) = request.header("content-length").and_then(|value| value.parse().ok()) {
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(headers) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn read_chunked(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                let digits = std::str::from_utf8(&digits).unwrap_or("3f");
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
