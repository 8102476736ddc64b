//! A SOCKS5 proxy in the place of Tor, with the whole Internet behind it: it answers for every server itself, and writes
//! down whom it was asked for, and for what.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What lies at `HOST/PATH`: the head's last lines and the body.
pub type Internet = HashMap<String, (String, Vec<u8>)>;

/// One question that came through.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `HOST/PATH`, as the proxy and the server behind it heard them.
    pub what: String,
    pub port: u16,
    /// Whether the proxy was given a name, and no address.
    pub by_name: bool,
    /// User name and password, by which Tor tells circuits apart.
    pub circuit: (String, String),
    /// The lines of the request.
    pub lines: Vec<String>,
}

pub struct Socks {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    gone: Arc<AtomicBool>,
}

impl Socks {
    pub fn begin(internet: Internet) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, gone) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, ended) = (Arc::clone(&asked), Arc::clone(&gone));
        std::thread::spawn(move || {
            let internet = Arc::new(internet);
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (internet, log) = (Arc::clone(&internet), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &internet, &log));
            }
        });
        Self { port, asked, gone }
    }

    /// What was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The same as `HOST/PATH`, sorted.
    pub fn what(&self) -> Vec<String> {
        let mut what: Vec<String> = self.asked().into_iter().map(|asked| asked.what).collect();
        what.sort();
        what
    }

    /// Nobody listens there any more.
    pub fn end(&self) {
        self.gone.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        super::wait_until("the proxy to be gone", || TcpStream::connect(("127.0.0.1", self.port)).is_err());
    }
}

fn take(stream: &mut TcpStream, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn text(stream: &mut TcpStream) -> Option<String> {
    let length = take(stream, 1)?[0];
    String::from_utf8(take(stream, length.into())?).ok()
}

fn serve(mut stream: TcpStream, internet: &Internet, log: &Mutex<Vec<Asked>>) -> Option<()> {
    let ways = take(&mut stream, 2)?[1];
    take(&mut stream, ways.into())?;
    stream.write_all(&[5, 2]).ok()?;
    take(&mut stream, 1)?;
    let circuit = (text(&mut stream)?, text(&mut stream)?);
    stream.write_all(&[1, 0]).ok()?;
    let kind = take(&mut stream, 4)?[3];
    let host = match kind {
        3 => text(&mut stream)?,
        1 => format!("{:?}", take(&mut stream, 4)?),
        _ => format!("{:?}", take(&mut stream, 16)?),
    };
    let port = take(&mut stream, 2)?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let mut lines = Vec::new();
    for line in BufReader::new(stream.try_clone().ok()?).lines() {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let what = format!("{host}{path}");
    log.lock().unwrap().push(Asked { what: what.clone(), port, by_name: kind == 3, circuit, lines });
    let nothing = ("HTTP/1.1 404 Not Found".to_owned(), Vec::new());
    let (head, body) = internet.get(&what).unwrap_or(&nothing);
    stream.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).ok()?;
    stream.write_all(body).ok()?;
    stream.shutdown(Shutdown::Write).ok()
}
