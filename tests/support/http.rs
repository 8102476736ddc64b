//! An HTTP/1.1 client that sends exactly what a story wants sent, wrong `Host` and all: one request, one connection.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// After so long a server hangs. Never reached otherwise, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// A request being put together.
pub struct Request {
    address: String,
    method: String,
    path: String,
    host: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A form found on a page.
#[derive(Debug, Clone, Default)]
pub struct Form {
    pub action: String,
    /// Hidden fields with their values.
    pub fields: Vec<(String, String)>,
    /// The name of its password field.
    pub password_name: String,
    /// Its buttons that have a name, with their values.
    pub buttons: Vec<(String, String)>,
}

impl Request {
    pub fn new(address: &str, method: &str, path: &str) -> Self {
        Self {
            address: address.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            host: address.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    pub fn origin(self, origin: &str) -> Self {
        self.header("Origin", origin)
    }

    pub fn cookie(self, cookies: &str) -> Self {
        if cookies.is_empty() { self } else { self.header("Cookie", cookies) }
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub fn json(mut self, value: &Value) -> Self {
        self.body = serde_json::to_vec(value).unwrap();
        self.header("Content-Type", "application/json")
    }

    pub fn form(mut self, fields: &[(String, String)]) -> Self {
        let pairs: Vec<String> = fields.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
        self.body = pairs.join("&").into_bytes();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    /// Sends it and reads the whole answer.
    pub fn send(self) -> Response {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&self.bytes()).unwrap();
        let mut answer = Vec::new();
        // A server that hangs up after it answered is no failure.
        let _ = stream.read_to_end(&mut answer);
        Response::parse(&answer)
    }

    /// Sends it and gives the open connection: for answers that do not end.
    pub fn open(self) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&self.bytes()).unwrap();
        stream
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.method, self.path, self.host);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method != "GET" {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no HTTP answer: {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]))
        });
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(k, v)| (k.trim().to_ascii_lowercase(), v.trim().to_owned()))
            .collect();
        let mut body = bytes[end + 4..].to_vec();
        if headers.iter().any(|(k, v)| k == "transfer-encoding" && v.contains("chunked")) {
            body = unchunk(&body);
        }
        Self { status, headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{} with a body that is not JSON ({e}): {}", self.status, self.text()))
    }

    /// What a browser would send back as `Cookie`.
    pub fn cookies(&self) -> String {
        let pairs: Vec<&str> = self
            .headers
            .iter()
            .filter(|(k, _)| k == "set-cookie")
            .filter_map(|(_, v)| v.split(';').next())
            .collect();
        pairs.join("; ")
    }

    /// The first form that holds `mark`.
    #[track_caller]
    pub fn form_with(&self, mark: &str) -> Form {
        let html = self.text();
        let form = html
            .split("<form")
            .skip(1)
            .map(|rest| rest.split("</form>").next().unwrap_or_default())
            .find(|form| form.contains(mark))
            .unwrap_or_else(|| panic!("no form with {mark} in: {html}"));
        let opening = form.split('>').next().unwrap_or_default();
        let mut found = Form { action: attribute(opening, "action").unwrap_or_default(), ..Form::default() };
        for input in form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
            let name = attribute(input, "name").unwrap_or_default();
            match attribute(input, "type").as_deref() {
                Some("hidden") => found.fields.push((name, attribute(input, "value").unwrap_or_default())),
                Some("password") => found.password_name = name,
                _ => {}
            }
        }
        for button in form.split("<button").skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
            if let Some(name) = attribute(button, "name") {
                found.buttons.push((name, attribute(button, "value").unwrap_or_default()));
            }
        }
        found
    }
}

impl Form {
    /// Its hidden fields, and the button with this value pressed.
    pub fn pressed(&self, value: &str) -> Vec<(String, String)> {
        let button = self.buttons.iter().find(|(_, v)| v == value);
        let button = button.unwrap_or_else(|| panic!("no button {value} in {self:?}"));
        self.fields.iter().chain([button]).cloned().collect()
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split(&format!("{name}=\"")).nth(1)?;
    Some(rest.split('"').next()?.replace("&amp;", "&").replace("&#38;", "&"))
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") {
        let size =
            std::str::from_utf8(&bytes[..end]).ok().and_then(|s| usize::from_str_radix(s.trim(), 16).ok());
        let (Some(size @ 1..), rest) = (size, &bytes[end + 2..]) else { break };
        out.extend_from_slice(&rest[..size.min(rest.len())]);
        bytes = rest.get(size + 2..).unwrap_or_default();
    }
    out
}

/// Percent-encodes for a query string or form.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
