//! A SOCKS5 proxy in the place of Tor, with servers behind it that speak TLS: each question is written down and answered by
//! the story's own rule.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One question that came through.
#[derive(Debug, Clone)]
pub struct Question {
    pub host: String,
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
}

impl Onion {
    pub fn begin(names: &[&str], rule: Box<Rule>) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let (config, rule): (_, Arc<Rule>) = (Arc::new(config), rule.into());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (config, rule, log) = (Arc::clone(&config), Arc::clone(&rule), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, config, rule.as_ref(), &log));
            }
        });
        Self { port, ca_pem: authority.pem(), asked }
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

fn serve(
    mut stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
    rule: &Rule,
    log: &Mutex<Vec<Question>>,
) -> Option<()> {
    let ways = take(&mut stream, 2)?[1];
    take(&mut stream, ways.into())?;
    stream.write_all(&[5, 2]).ok()?;
    take(&mut stream, 1)?;
    let circuit = (text(&mut stream)?, text(&mut stream)?);
    stream.write_all(&[1, 0]).ok()?;
    assert_eq!(take(&mut stream, 4)?[3], 3, "names go to Tor unresolved");
    let host = text(&mut stream)?;
    take(&mut stream, 2)?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let secure = rustls::StreamOwned::new(rustls::ServerConnection::new(config).ok()?, stream);
    let mut reader = BufReader::new(secure);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
    });
    let body = take(&mut reader, length.unwrap_or(0))?;
    let question = Question { host, head, body, circuit };
    let (head, body) = rule(&question);
    log.lock().unwrap().push(question);
    let mut secure = reader.into_inner();
    secure.write_all(format!("{head}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).ok()?;
    secure.write_all(&body).ok()?;
    secure.conn.send_close_notify();
    secure.flush().ok()
}
