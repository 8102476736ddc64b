//! Sample mail, written for these tests.

/// A plain message with CRLF line ends.
pub fn plain(from: &str, to: &str, subject: &str, body: &str) -> Vec<u8> {
    with_headers(from, to, subject, "", body)
}

/// A plain message with further headers (each ending in CRLF).
pub fn with_headers(from: &str, to: &str, subject: &str, headers: &str, body: &str) -> Vec<u8> {
    let id = message_id(subject);
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Fri, 17 May 2024 09:30:00 +0000\r\n\
         Message-ID: <{id}>\r\n{headers}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
    )
    .into_bytes()
}

/// The Message-ID that [`plain`] gives a message with this subject.
pub fn message_id(subject: &str) -> String {
    let word: String = subject.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{word}@stories.test")
}

/// A message with a text, an HTML and an attached part.
pub fn with_attachment(
    from: &str,
    to: &str,
    subject: &str,
    body: &str,
    name: &str,
    content: &str,
) -> Vec<u8> {
    let id = message_id(subject);
    let encoded = data_encoding::BASE64.encode(content.as_bytes());
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Sat, 18 May 2024 10:00:00 +0000\r\n\
         Message-ID: <{id}>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n\
         --outer\r\nContent-Type: multipart/alternative; boundary=\"inner\"\r\n\r\n\
         --inner\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n\
         --inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>{body}</p><script>alert(1)</script>\r\n--inner--\r\n\
         --outer\r\nContent-Type: application/pdf; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n--outer--\r\n"
    )
    .into_bytes()
}

/// The same message with LF line ends, as files on disk have them.
pub fn lf(message: &[u8]) -> Vec<u8> {
    String::from_utf8(message.to_vec()).unwrap().replace("\r\n", "\n").into_bytes()
}

/// An mbox (mboxrd) of messages.
pub fn mbox<M: AsRef<[u8]>>(messages: &[M]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        out.extend_from_slice(b"From somebody@stories.test Fri May 17 09:30:00 2024\n");
        let message = message.as_ref();
        for line in message.strip_suffix(b"\n").unwrap_or(message).split(|b| *b == b'\n') {
            if line.iter().position(|b| *b != b'>').is_some_and(|at| line[at..].starts_with(b"From ")) {
                out.push(b'>');
            }
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out.push(b'\n');
    }
    out
}
