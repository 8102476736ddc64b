//! From values to the bytes of a message (RFC 5322, RFC 2045).

use encoding_rs::{Encoding, UTF_8};

use super::encode::{base64_lines, escape_html, header_text, text_body};
use super::files::File;
use super::pictures::seed;
use super::time::header_date;

/// A message but for its wire form.
pub(super) struct Mail<'a> {
    /// As the field has it.
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) subject: &'a str,
    pub(super) at: i64,
    pub(super) zone: &'a str,
    /// Without angle brackets, as the next two.
    pub(super) id: &'a str,
    pub(super) references: &'a [String],
    pub(super) charset: &'static Encoding,
    /// Further fields.
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) body: Part,
}

/// A part with its own header.
pub(super) struct Part {
    head: String,
    body: Vec<u8>,
}

impl Mail<'_> {
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut head = String::new();
        let mut field = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        for (name, value) in &self.fields {
            if matches!(*name, "Return-Path" | "Received") {
                field(name, value);
            }
        }
        field("Date", &header_date(self.at, self.zone));
        field("From", &self.from);
        if !self.to.is_empty() {
            field("To", &self.to.join(",\r\n "));
        }
        if !self.cc.is_empty() {
            field("Cc", &self.cc.join(",\r\n "));
        }
        if !self.subject.is_empty() {
            field("Subject", &header_text(self.subject, self.charset));
        }
        field("Message-ID", &format!("<{}>", self.id));
        if let Some(parent) = self.references.last() {
            field("In-Reply-To", &format!("<{parent}>"));
            let all: Vec<_> = self.references.iter().map(|id| format!("<{id}>")).collect();
            field("References", &all.join("\r\n "));
        }
        for (name, value) in &self.fields {
            if !matches!(*name, "Return-Path" | "Received") {
                field(name, value);
            }
        }
        field("MIME-Version", "1.0");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.bytes());
        bytes
    }
}

impl Part {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = self.head.into_bytes();
        bytes.extend(b"\r\n");
        bytes.extend(self.body);
        bytes
    }

    /// Plain text with CRLF line ends.
    pub(super) fn plain(text: &str, charset: &'static Encoding, flowed: bool) -> Self {
        let more = if flowed { "; format=flowed" } else { "" };
        Self::text("plain", text, charset, more)
    }

    pub(super) fn html(html: &str) -> Self {
        Self::text("html", html, UTF_8, "")
    }

    fn text(subtype: &str, text: &str, charset: &'static Encoding, more: &str) -> Self {
        let (body, charset, encoding) = text_body(text, charset);
        let head = format!(
            "Content-Type: text/{subtype}; charset={charset}{more}\r\nContent-Transfer-Encoding: {encoding}\r\n"
        );
        Self { head, body }
    }

    /// An invitation beside the text that announces it.
    pub(super) fn calendar(text: &str) -> Self {
        let head = "Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\nContent-Transfer-Encoding: 7bit\r\n";
        Self { head: head.to_owned(), body: text.as_bytes().to_vec() }
    }

    /// Offered for download, or with a content id shown inside the HTML beside it.
    pub(super) fn file(file: &File, content_id: Option<&str>) -> Self {
        let name = file.name;
        let mut head = format!("Content-Type: {}; name=\"{name}\"\r\n", file.media_type);
        let disposition = if content_id.is_some() { "inline" } else { "attachment" };
        head.push_str(&format!("Content-Disposition: {disposition}; filename=\"{name}\"\r\n"));
        if let Some(id) = content_id {
            head.push_str(&format!("Content-ID: <{id}>\r\n"));
        }
        head.push_str("Content-Transfer-Encoding: base64\r\n");
        Self { head, body: base64_lines(&file.bytes).into_bytes() }
    }

    /// A message inside the message.
    pub(super) fn message(raw: &[u8]) -> Self {
        let head =
            "Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=\"forwarded.eml\"\r\n";
        Self { head: head.to_owned(), body: raw.to_vec() }
    }

    /// What the mail system says to programs, and the head of what it could not deliver (RFC 3464, RFC 3462).
    pub(super) fn report(recipient: &str, returned: &[u8]) -> [Self; 2] {
        let status = format!(
            "Reporting-MTA: dns; mx.mailkeep.example\r\n\r\n\
             Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
             Diagnostic-Code: smtp; 550 5.1.1 This driver has gone home\r\n"
        );
        let end = returned.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(0);
        let head = returned.iter().copied().take(end + 2).collect();
        [
            Self { head: "Content-Type: message/delivery-status\r\n".to_owned(), body: status.into_bytes() },
            Self { head: "Content-Type: text/rfc822-headers\r\n".to_owned(), body: head },
        ]
    }

    /// Several parts; `kind` is as `mixed` or `report; report-type=delivery-status`, `id` makes the boundary.
    pub(super) fn multipart(kind: &str, id: &str, parts: impl IntoIterator<Item = Self>) -> Self {
        let boundary = format!("=_{:08x}{:08x}", seed(kind), seed(id));
        let head = format!("Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n");
        let mut body = Vec::new();
        for part in parts {
            body.extend(format!("--{boundary}\r\n").into_bytes());
            body.extend(part.bytes());
            if !body.ends_with(b"\r\n") {
                body.extend(b"\r\n");
            }
        }
        body.extend(format!("--{boundary}--\r\n").into_bytes());
        Self { head, body }
    }
}

/// How the message came here: what the owner's server writes on top.
pub(super) fn arrival(domain: &str, sender: &str, id: &str, at: i64) -> Vec<(&'static str, String)> {
    let number = seed(domain) % 250 + 2;
    let received = format!(
        "from mx.{domain} (mx.{domain} [192.0.2.{number}])\r\n by mx.mailkeep.example with ESMTPS id {:08X}\r\n \
         for <robin@mailkeep.example>; {}",
        seed(id),
        header_date(at, "+0000")
    );
    vec![("Return-Path", format!("<{sender}>")), ("Received", received)]
}

/// The text as simple HTML, as many programs send it along; web addresses become links.
pub(super) fn simple_html(text: &str, image: Option<&str>) -> String {
    let mut html = String::from("<html><body style=\"font-family: sans-serif\">\r\n");
    for paragraph in text.split("\n\n") {
        let lines: Vec<_> = paragraph.lines().map(html_line).collect();
        html.push_str(&format!("<p>{}</p>\r\n", lines.join("<br>\r\n")));
    }
    if let Some(id) = image {
        html.push_str(&format!("<p><img src=\"cid:{id}\" alt=\"\" width=\"240\" height=\"160\"></p>\r\n"));
    }
    html + "</body></html>\r\n"
}

fn html_line(line: &str) -> String {
    let escaped = escape_html(line);
    if line.starts_with("https://") { format!("<a href=\"{escaped}\">{escaped}</a>") } else { escaped }
}
