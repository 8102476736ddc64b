//! A SOCKS5 proxy in the place of Tor, with servers behind it that speak TLS on port 443 and plain HTTP elsewhere: each
//! question is written down and answered by the story's own rule. Names that it was not told of do not exist. A name and a port
//! can lead to a server of this machine that speaks no TLS itself.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One question that came through.
#[derive(Debug, Clone)]
pub struct Question {
    pub host: String,
    pub port: u16,
    /// `POST /path HTTP/1.1` and the fields.
    pub head: Vec<String>,
    pub body: Vec<u8>,
    /// User name and password, by which Tor tells circuits apart.
    pub circuit: (String, String),
}

/// What is answered: the head's lines without the length, and the body.
pub type Rule = dyn Fn(&Question) -> (String, Vec<u8>) + Send + Sync;

pub struct Onion {
    pub port: u16,
    /// Who signs the servers' certificates.
    pub ca_pem: String,
    asked: Arc<Mutex<Vec<Question>>>,
    roads: Arc<Roads>,
    gone: Arc<AtomicBool>,
}

/// Where a name and a port lead on this machine.
type Roads = Mutex<HashMap<(String, u16), u16>>;

/// What the servers behind the proxy share.
struct Servers {
    names: Vec<String>,
    config: Arc<rustls::ServerConfig>,
    rule: Box<Rule>,
    asked: Arc<Mutex<Vec<Question>>>,
    roads: Arc<Roads>,
}

impl Onion {
    pub fn begin(names: &[&str], rule: Box<Rule>) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let known = names.clone();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, gone) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&gone);
        let config = Arc::new(config);
        let roads: Arc<Roads> = Arc::default();
        let servers =
            Servers { names: known, config, rule, asked: Arc::clone(&asked), roads: Arc::clone(&roads) };
        let servers = Arc::new(servers);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let servers = Arc::clone(&servers);
                std::thread::spawn(move || serve(stream, &servers));
            }
        });
        Self { port, ca_pem: authority.pem(), asked, roads, gone }
    }

    /// Lets a name and a port lead to a port of this machine, by TLS as far as here.
    pub fn lead(&self, host: &str, port: u16, to: u16) {
        self.roads.lock().unwrap().insert((host.to_owned(), port), to);
    }

    /// Everything that was asked so far.
    pub fn all(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }

    /// Nobody listens there any more.
    pub fn end(&self) {
        self.gone.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        super::wait_until("the proxy to be gone", || TcpStream::connect(("127.0.0.1", self.port)).is_err());
    }

    /// What was asked of a server so far.
    pub fn asked(&self, host: &str) -> Vec<Question> {
        self.asked.lock().unwrap().iter().filter(|q| q.host == host).cloned().collect()
    }
}

fn take(stream: &mut impl Read, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn text(stream: &mut impl Read) -> Option<String> {
    let length = take(stream, 1)?[0];
    String::from_utf8(take(stream, length.into())?).ok()
}

fn serve(mut stream: TcpStream, servers: &Servers) -> Option<()> {
    let ways = take(&mut stream, 2)?[1];
    take(&mut stream, ways.into())?;
    stream.write_all(&[5, 2]).ok()?;
    take(&mut stream, 1)?;
    let circuit = (text(&mut stream)?, text(&mut stream)?);
    stream.write_all(&[1, 0]).ok()?;
    assert_eq!(take(&mut stream, 4)?[3], 3, "names go to Tor unresolved");
    let host = text(&mut stream)?;
    let port = take(&mut stream, 2)?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    // What Tor says of a name without an address: host unreachable.
    let reply = if servers.names.contains(&host) { 0 } else { 4 };
    stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    if reply != 0 {
        return None;
    }
    let road = servers.roads.lock().unwrap().get(&(host.clone(), port)).copied();
    if let Some(to) = road {
        let mut connection = rustls::ServerConnection::new(Arc::clone(&servers.config)).ok()?;
        // With all the time it takes: afterwards a read that waits is broken off.
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).ok()?;
        }
        return pump(rustls::StreamOwned::new(connection, stream), to);
    }
    if port != 443 {
        return talk(stream, servers, (host, port), circuit).map(drop);
    }
    let connection = rustls::ServerConnection::new(Arc::clone(&servers.config)).ok()?;
    let secure = rustls::StreamOwned::new(connection, stream);
    let mut secure = talk(secure, servers, (host, port), circuit)?;
    secure.conn.send_close_notify();
    secure.flush().ok()
}

/// Carries what is said between a secure connection and a port of this machine, until one of them ends it.
fn pump(mut secure: rustls::StreamOwned<rustls::ServerConnection, TcpStream>, to: u16) -> Option<()> {
    let mut there = TcpStream::connect(("127.0.0.1", to)).ok()?;
    let pause = Some(Duration::from_millis(20));
    secure.sock.set_read_timeout(pause).ok()?;
    there.set_read_timeout(pause).ok()?;
    loop {
        if !carry(&mut secure, &mut there)? || !carry(&mut there, &mut secure)? {
            return Some(());
        }
    }
}

/// Carries what has come; false where nothing more will.
fn carry(from: &mut impl Read, to: &mut impl Write) -> Option<bool> {
    let mut piece = [0; 16_384];
    match from.read(&mut piece) {
        Ok(0) => Some(false),
        Ok(count) => {
            to.write_all(&piece[..count]).ok()?;
            to.flush().ok()?;
            Some(true)
        }
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => Some(true),
        Err(_) => None,
    }
}

fn talk<S: Read + Write>(
    stream: S,
    servers: &Servers,
    (host, port): (String, u16),
    circuit: (String, String),
) -> Option<S> {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    if head.is_empty() {
        return None;
    }
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
    });
    let body = take(&mut reader, length.unwrap_or(0))?;
    let question = Question { host, port, head, body, circuit };
    let (head, body) = (servers.rule)(&question);
    servers.asked.lock().unwrap().push(question);
    let mut stream = reader.into_inner();
    stream.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).ok()?;
    stream.write_all(&body).ok()?;
    stream.flush().ok()?;
    Some(stream)
}
