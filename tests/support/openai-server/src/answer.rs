//! What is answered.

use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        Self {
            status: 200,
            content_type: "application/json",
            headers: Vec::new(),
            body: value.to_string().into(),
        }
    }

    pub(crate) fn bytes(body: Vec<u8>) -> Self {
        Self { status: 200, content_type: "application/octet-stream", headers: Vec::new(), body }
    }

    pub(crate) fn html(status: u16, page: &str) -> Self {
        Self { status, content_type: "text/html", headers: Vec::new(), body: page.into() }
    }

    /// An error as the service words it.
    pub(crate) fn error(status: u16, message: &str, param: Option<&str>, code: Option<&str>) -> Self {
        let kind = match status {
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let error = json!({"error": {"message": message, "type": kind, "param": param, "code": code}});
        Self { status, ..Self::json(&error) }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Changes one letter or digit of the content.
    pub(crate) fn corrupt(&mut self) {
        // Behind the keys of the JSON around it.
        let middle = self.body.len() / 2;
        if let Some(byte) = self.body[middle..].iter_mut().find(|byte| byte.is_ascii_alphanumeric()) {
            *byte = if *byte == b'x' { b'y' } else { b'x' };
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} -\r\n", self.status);
        head += &format!("content-type: {}\r\ncontent-length: {}\r\n", self.content_type, self.body.len());
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// 404, worded as the service does for each kind of object.
pub(crate) fn no_such_file(id: &str) -> Answer {
    Answer::error(404, &format!("No such File object: {id}"), Some("id"), None)
}

pub(crate) fn no_such_store(id: &str) -> Answer {
    Answer::error(404, &format!("No vector store found with id '{id}'"), None, None)
}

pub(crate) fn not_attached(id: &str) -> Answer {
    Answer::error(404, &format!("No file found with id '{id}' in vector store"), None, None)
}
