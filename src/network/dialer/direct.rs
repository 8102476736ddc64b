//! The way from this machine to the server: a name looked up once, and the first of its addresses that answers. The one
//! place that opens a socket to a server, and the one that asks the system for addresses.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{CONNECT_LIMIT, Call, DialError, Dialer, address_guard, ascii_name};

impl Dialer {
    /// Looks the name up once and connects to the first address that answers.
    pub(super) async fn reach(&self, call: &Call<'_>) -> Result<TcpStream, DialError> {
        let (host, port) = (call.host.clone(), call.port);
        let addresses = self.addresses(call).await?;
        let share = CONNECT_LIMIT / u32::try_from(addresses.len().clamp(1, 4)).unwrap_or(1);
        let mut last = DialError::NameNotFound { host: host.clone() };
        for address in addresses.into_iter().take(4) {
            last = match timeout(share, self.walk(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    DialError::Unreachable { host: host.clone(), port, why: plain_reason(&error) }
                }
                Err(_) => DialError::TimedOut { host: host.clone(), port },
            };
        }
        Err(last)
    }

    async fn addresses(&self, call: &Call<'_>) -> Result<Vec<SocketAddr>, DialError> {
        let host = || call.host.clone();
        let ascii = ascii_name(&call.host).ok_or_else(|| DialError::NameNotFound { host: host() })?;
        let found = match timeout(CONNECT_LIMIT, self.look_up(ascii, call.port)).await {
            Err(_) => return Err(DialError::TimedOut { host: host(), port: call.port }),
            Ok(Err(_)) => return Err(DialError::NameNotFound { host: host() }),
            Ok(Ok(found)) => found,
        };
        if call.only_public && !found.iter().all(|address| address_guard::is_public_address(address.ip())) {
            return Err(DialError::NotPublic { host: host() });
        }
        Ok(found)
    }

    /// The one place that asks the system for addresses.
    async fn look_up(&self, name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        #[cfg(test)]
        if let Some(found) = self.shared.rigged.look_up(&name, port) {
            return Ok(found);
        }
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }

    /// The one place that connects to an address.
    async fn walk(&self, address: SocketAddr) -> io::Result<TcpStream> {
        #[cfg(test)]
        let address = self.shared.rigged.way(address)?;
        TcpStream::connect(address).await
    }
}

fn plain_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::NetworkUnreachable => "the network is down".into(),
        io::ErrorKind::HostUnreachable => "no way leads there".into(),
        io::ErrorKind::TimedOut => "it took too long".into(),
        kind => kind.to_string(),
    }
}
