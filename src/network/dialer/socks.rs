//! Tor as a SOCKS5 proxy that the owner runs. Names go to it unresolved; nothing here ever goes direct instead.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_socks::Error as SocksError;
use tokio_socks::tcp::Socks5Stream;

use super::tor::Apart;
use super::{CONNECT_LIMIT, DialError, Purpose};

/// How long Tor may take to reach a server: it may have to build a circuit first.
const CIRCUIT_LIMIT: Duration = Duration::from_secs(60);
/// How long the proxy may take to say that it is there.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// Where Tor listens for SOCKS5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl std::str::FromStr for Proxy {
    type Err = BadProxy;

    /// Reads `HOST:PORT`; an IPv6 address stands in brackets.
    fn from_str(text: &str) -> Result<Self, BadProxy> {
        let (host, port) = text.trim().rsplit_once(':').ok_or(BadProxy)?;
        let port = port.parse().map_err(|_| BadProxy)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let sound = match bare {
            Some(host) => host.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
        };
        let host = bare.unwrap_or(host);
        (sound && !host.is_empty() && host.len() <= 253 && port != 0)
            .then(|| Self { host: host.to_owned(), port })
            .ok_or(BadProxy)
    }
}

impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A text that names no proxy.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("That is no HOST:PORT, such as 127.0.0.1:9050")]
pub struct BadProxy;

/// Connects to a server through the proxy. Tor gives those with different user names or passwords different circuits.
pub(super) async fn reach(
    proxy: &Proxy,
    purpose: Purpose,
    (host, port): (&str, u16),
    apart: &Apart,
) -> Result<TcpStream, DialError> {
    let no_tor = || DialError::NoTor {
        host: host.to_owned(),
        purpose,
        why: format!("nothing answers at {proxy} as Tor does"),
    };
    let tcp = match timeout(CONNECT_LIMIT, TcpStream::connect((proxy.host.as_str(), proxy.port))).await {
        Ok(Ok(tcp)) => tcp,
        _ => return Err(no_tor()),
    };
    let asked =
        Socks5Stream::connect_with_password_and_socket(tcp, (host, port), &apart.purpose, &apart.circuit);
    match timeout(CIRCUIT_LIMIT, asked).await {
        Err(_) => Err(DialError::TimedOut { host: host.to_owned(), port }),
        Ok(Ok(stream)) => Ok(stream.into_inner()),
        // What an exit says of a name that has no address.
        Ok(Err(SocksError::HostUnreachable)) => Err(DialError::NameNotFound { host: host.to_owned() }),
        Ok(Err(error)) => match refusal(&error) {
            Some(why) => Err(DialError::Unreachable { host: host.to_owned(), port, why: why.to_owned() }),
            None => Err(no_tor()),
        },
    }
}

/// What the proxy says of a server; nothing where it is the proxy itself that fails.
const fn refusal(error: &SocksError) -> Option<&'static str> {
    match error {
        SocksError::GeneralSocksServerFailure => Some("Tor could not reach it"),
        SocksError::ConnectionNotAllowedByRuleset => Some("Tor does not allow it"),
        SocksError::NetworkUnreachable => Some("no way leads there"),
        SocksError::ConnectionRefused => Some("connection refused"),
        SocksError::TtlExpired => Some("it took too long"),
        _ => None,
    }
}

/// Asks the proxy whether it is one; no server is named to it.
pub(super) async fn answers(proxy: &Proxy) -> bool {
    let asked = async {
        let mut tcp = TcpStream::connect((proxy.host.as_str(), proxy.port)).await?;
        // SOCKS5, one way to sign in: by user name and password, which keep the circuits apart.
        tcp.write_all(&[5, 1, 2]).await?;
        let mut answer = [0; 2];
        tcp.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer == [5, 2])
    };
    matches!(timeout(PROBE_LIMIT, asked).await, Ok(Ok(true)))
}
