//! The keys that are relied on are asked for again by themselves, and what became of them is taken in.

use super::*;
use crate::crypto::openpgp::SecretKey;
use crate::engine::{lookup, peers, settings};
use crate::storage::database::{commit, lookups};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

type Asked = Arc<Mutex<Vec<String>>>;

/// A SOCKS5 proxy with one server behind it, which answers everything alike.
fn server(body: Vec<u8>) -> (u16, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Asked::default();
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &body, &log);
        }
    });
    (port, asked)
}

fn answer(mut stream: TcpStream, body: &[u8], log: &Asked) -> Option<()> {
    let take = |stream: &mut TcpStream, count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    };
    let ways = take(&mut stream, 2)?[1];
    take(&mut stream, ways.into())?;
    stream.write_all(&[5, 2]).ok()?;
    take(&mut stream, 1)?;
    for _ in 0..2 {
        let length = take(&mut stream, 1)?[0];
        take(&mut stream, length.into())?;
    }
    stream.write_all(&[1, 0]).ok()?;
    take(&mut stream, 4)?;
    let length = take(&mut stream, 1)?[0];
    take(&mut stream, usize::from(length) + 2)?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    log.lock().unwrap().push(lines.next()?);
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).ok()
}

/// The primary key and the signature that takes it back, without any name, as a server gives what it may not name.
fn taken_back(certificate: &[u8], armored: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(armored.to_vec()).unwrap();
    let body = text.split("\n\n").nth(1).unwrap().lines();
    let body: String = body.take_while(|line| !line.starts_with(['=', '-'])).collect();
    let signature = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    assert!(certificate[0] == 0xc6 && certificate[1] < 192, "a short public key in the new form");
    [&certificate[..2 + usize::from(certificate[1])], &signature].concat()
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_known_of_within_a_week() {
    let (_alice, app) = Alice::new().await;
    let (bob, revocation) = SecretKey::generate("bob@lab.test", app.now() - 3600).unwrap();
    let certificate = bob.certificate();
    peers::offer(&app, &certificate, "imported", true).await.unwrap();
    let print = certificate.fingerprint().to_string();
    let (port, asked) = server(taken_back(&certificate.bytes(), &revocation));
    settings::set(&app, "lookup.servers", "vks+http://keys.example:8080").await.unwrap();
    settings::set(&app, "tor.socks", &format!("127.0.0.1:{port}")).await.unwrap();
    // Without Tor nothing is asked, and nothing even planned.
    lookup::refresh(&app, false).await.unwrap();
    settings::set(&app, "tor.mode", "socks").await.unwrap();
    // What was just learnt is asked for on some day of the week that comes.
    lookup::refresh(&app, false).await.unwrap();
    assert!(asked.lock().unwrap().is_empty());
    let plan = async |due: i64| {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        lookups::plan(&mut c, &print, due).await.unwrap();
        commit(c).await.unwrap();
    };
    let due = async |at: i64| {
        let mut reader = app.reader.get().await.unwrap();
        !lookups::due(&mut reader, at, 10).await.unwrap().is_empty()
    };
    let day = 24 * 3600;
    assert!(!due(app.now() + 3 * day).await && due(app.now() + 7 * day + 60).await);
    let recipients = ["bob@lab.test".to_owned()];
    let before = peers::plan(&app, true, &recipients, false).await.unwrap();
    assert!(before.each[0].fingerprint.is_some());
    plan(0).await;
    lookup::refresh(&app, false).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), [format!("GET /vks/v1/by-fingerprint/{print} HTTP/1.1")]);
    let after = peers::plan(&app, true, &recipients, false).await.unwrap();
    assert!(after.each[0].words.contains("revoked"), "{}", after.each[0].words);
    lookup::refresh(&app, false).await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 1, "once in a week");
}
