//! Accepting connections. On loopback only the owner's own user and root are answered: any user of the machine can reach
//! a port, and the first caller must not own the store (`threats.md` §15).

mod arrivals;

pub use arrivals::{Arrivals, Gate, arrivals};

use super::{Web, router};
use crate::engine::failure::Failure;
use arrivals::Place;
use axum::Extension;
use axum::extract::connect_info::ConnectInfo;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Listens, and drops callers that are somebody else.
struct Guarded {
    listener: TcpListener,
    own: u32,
}

/// How long a request from elsewhere may take until all that stands before its body is there; so long a connection may also
/// wait for the next one.
const HEAD: Duration = Duration::from_secs(30);
/// How large that may be, in bytes: room for what browsers send, and not for a stranger to fill the memory with.
const HEAD_MOST: usize = 64 << 10;

/// The way by which a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The local door.
    Home,
    /// The onion service.
    Onion,
    /// What stands before the remote door's port.
    Port,
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(super) struct From {
    /// The address.
    pub(super) address: IpAddr,
    /// The way.
    pub(super) way: Way,
    /// The place of the connection, at the remote door.
    pub(super) place: Option<Arc<Place>>,
}

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, Guarded>> for From {
    fn connect_info(stream: axum::serve::IncomingStream<'_, Guarded>) -> Self {
        Self { address: stream.remote_addr().ip(), way: Way::Home, place: None }
    }
}

impl axum::serve::Listener for Guarded {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, from)) if from.ip().to_canonical().is_loopback() => {
                    match stream.local_addr().map(|here| owner_of(from, here)) {
                        Ok(Owner::Uid(uid)) if uid == self.own || uid == 0 => return (stream, from),
                        Ok(Owner::NoTable) => return (stream, from),
                        _ => tracing::warn!("Another user of this machine knocked and was turned away"),
                    }
                }
                Ok(accepted) => return accepted,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Who holds the other end of a connection from this machine.
#[derive(Debug, PartialEq, Eq)]
enum Owner {
    /// The user with this id.
    Uid(u32),
    /// Nobody that the kernel names: it is let in by nobody's right.
    Nobody,
    /// This system has no such table.
    NoTable,
}

/// The user behind a connection, as the kernel's tables of sockets say.
fn owner_of(peer: SocketAddr, here: SocketAddr) -> Owner {
    let mut owner = Owner::NoTable;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = std::fs::read_to_string(table) else { continue };
        match owner_in(&text, peer, here) {
            Some(uid) => return Owner::Uid(uid),
            None => owner = Owner::Nobody,
        }
    }
    owner
}

/// The user of the socket in a table that goes from `peer` to `here`: both addresses count, for every other address of
/// this machine has the same ports once more. A socket that its process closed is listed as root's, without an inode.
fn owner_in(table: &str, peer: SocketAddr, here: SocketAddr) -> Option<u32> {
    let (peer, here) = (written(peer), written(here));
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, from, to, _, _, _, _, uid, _, inode, ..] = fields.as_slice() else { return None };
        (peer.iter().any(|p| p == from) && here.iter().any(|h| h == to) && *inode != "0")
            .then(|| uid.parse().ok())
            .flatten()
    })
}

/// An address as the tables write it: hexadecimal, in words of the machine's byte order; that of IPv4 also as IPv6 maps it.
fn written(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let words = |octets: &[u8]| -> String {
        octets.as_chunks::<4>().0.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word))).collect()
    };
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => vec![
            format!("{}:{port:04X}", words(&ip.octets())),
            format!("{}:{port:04X}", words(&ip.to_ipv6_mapped().octets())),
        ],
        IpAddr::V6(ip) => vec![format!("{}:{port:04X}", words(&ip.octets()))],
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
    let service = router::home(web).into_make_service_with_connect_info::<From>();
    axum::serve(guarded, service)
        .with_graceful_shutdown(stop)
        .await
        .map_err(|_| Failure::failed("The server stopped: the system closed its port"))
}

/// Serves what arrives from elsewhere until `stop` is cancelled. Where it comes from says nothing: what stands before us is always
/// on this machine.
pub async fn serve_remote(web: Arc<Web>, arrivals: Arrivals, stop: CancellationToken) {
    serve_router(router::remote(web), arrivals, stop).await;
}

/// The same with whatever is to answer. Who drops this ends what it serves.
pub(super) async fn serve_router(service: axum::Router, mut arrivals: Arrivals, stop: CancellationToken) {
    let open = TaskTracker::new();
    loop {
        let arrived = tokio::select! {
            () = stop.cancelled() => break,
            arrived = arrivals.next() => arrived,
        };
        let Some(arrived) = arrived else { break };
        let service = service.clone().layer(Extension(ConnectInfo(arrived.from())));
        open.spawn(converse(arrived, service, stop.clone()));
    }
    open.close();
    open.wait().await;
}

/// Answers one connection to its end, or, when told to stop, to the end of what is being answered.
async fn converse(arrived: arrivals::Arrived, service: axum::Router, stop: CancellationToken) {
    let mut speech = http1::Builder::new();
    speech.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_MOST);
    let connection = speech.serve_connection(TokioIo::new(arrived), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection from afar was broken off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_owner_is_who_holds_both_ends() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:B992 0100007F:1DFD 01 00000000:00000000 00:00000000 00000000  1000        0 100 1 0 20 4 30 10 -1
   1: 0200007F:B992 0100007F:1DFD 01 00000000:00000000 00:00000000 00000000  1001        0 101 1 0 20 4 30 10 -1
   2: 0100007F:B993 0100007F:1DFD 05 00000000:00000000 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1";
        let owner = |peer: &str| owner_in(table, peer.parse().unwrap(), "127.0.0.1:7677".parse().unwrap());
        assert_eq!(owner("127.0.0.1:47506"), Some(1000));
        assert_eq!(
            owner("127.0.0.2:47506"),
            Some(1001),
            "the same port of another address is somebody else's"
        );
        assert_eq!(owner("[::ffff:127.0.0.1]:47506"), Some(1000));
        assert_eq!(owner("127.0.0.3:47506"), None);
        assert_eq!(owner("127.0.0.1:47507"), None, "closed by its process, it is nobody's");
        let mapped = "  sl\n   0: 0000000000000000FFFF00000100007F:B992 0000000000000000FFFF00000100007F:1DFD 01 0:0 0:0 0 7 0 9 1";
        assert_eq!(
            owner_in(mapped, "127.0.0.1:47506".parse().unwrap(), "127.0.0.1:7677".parse().unwrap()),
            Some(7)
        );
    }
}
