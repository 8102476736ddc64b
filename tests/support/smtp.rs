//! Just enough SMTP to deliver one message.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

/// Delivers `message` (any line ends) through the port that takes mail for the lab's own users.
pub fn deliver(port: u16, from: &str, to: &str, message: &[u8]) {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let mut expect = |code: &str| loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.as_bytes().get(3) != Some(&b'-') {
            assert!(line.starts_with(code), "the lab's SMTP answered {line}");
            return;
        }
    };
    expect("220");
    for (command, code) in [
        ("HELO tests.lab.test".to_owned(), "250"),
        (format!("MAIL FROM:<{from}>"), "250"),
        (format!("RCPT TO:<{to}>"), "250"),
        ("DATA".to_owned(), "354"),
    ] {
        writer.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        expect(code);
    }
    let mut data = Vec::new();
    for line in message.strip_suffix(b"\n").unwrap_or(message).split(|b| *b == b'\n') {
        if line.starts_with(b".") {
            data.push(b'.');
        }
        data.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        data.extend_from_slice(b"\r\n");
    }
    data.extend_from_slice(b".\r\n");
    writer.write_all(&data).unwrap();
    expect("250");
    writer.write_all(b"QUIT\r\n").unwrap();
}
