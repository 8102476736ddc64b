//! Accepting connections. On loopback only the owner's own user and root are answered: any user of the machine can reach
//! a port, and the first caller must not own the store (`threats.md` §15).

use super::{Web, router};
use crate::engine::failure::Failure;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// Listens, and drops callers that are somebody else.
struct Guarded {
    listener: TcpListener,
    own: u32,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct From(pub(super) IpAddr);

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, Guarded>> for From {
    fn connect_info(stream: axum::serve::IncomingStream<'_, Guarded>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

impl axum::serve::Listener for Guarded {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) if from.ip().is_loopback() => {
                    let local = self.listener.local_addr().ok();
                    match owner_of(from, local) {
                        Some(uid) if uid != self.own && uid != 0 => {
                            tracing::warn!("Another user of this machine knocked and was turned away");
                        }
                        // A peer that the system does not name is let in only where there is no such table.
                        _ => return (stream, from),
                    }
                }
                Ok(accepted) => return accepted,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The user behind a connection from this machine, as the kernel's table of sockets says.
fn owner_of(peer: SocketAddr, local: Option<SocketAddr>) -> Option<u32> {
    let port = format!(":{:04X}", peer.port());
    let remote = local.map(|local| format!(":{:04X}", local.port())).unwrap_or_default();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = std::fs::read_to_string(table) else { continue };
        for line in text.lines().skip(1) {
            let mut fields = line.split_ascii_whitespace();
            let (Some(local), Some(far)) = (fields.nth(1), fields.next()) else { continue };
            if local.ends_with(&port) && far.ends_with(&remote) && is_loopback(local) {
                return fields.nth(4).and_then(|uid| uid.parse().ok());
            }
        }
    }
    None
}

/// Whether an address of the kernel's table (hexadecimal, in the machine's byte order) is on loopback.
fn is_loopback(field: &str) -> bool {
    let Some((address, _)) = field.split_once(':') else { return false };
    match address.len() {
        8 => u32::from_str_radix(address, 16).is_ok_and(|n| IpAddr::from(n.to_ne_bytes()).is_loopback()),
        _ => address == "00000000000000000000000001000000" || address.starts_with("0000000000000000FFFF0000"),
    }
}

/// Serves until `stop` is ready, then lets running requests end.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    web: Arc<Web>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let guarded = Guarded { listener, own: rustix::process::geteuid().as_raw() };
    let service = router::router(web).into_make_service_with_connect_info::<From>();
    axum::serve(guarded, service)
        .with_graceful_shutdown(stop)
        .await
        .map_err(|_| Failure::failed("The server stopped: the system closed its port"))
}
