//! Connections from elsewhere, by whichever way: all of them come through one channel to the one remote door. None may be held
//! open for long without a word, and there are never more than so many by each way: where one more comes, the oldest of those
//! behind which nobody has signed in gives way.

use super::{From, Way};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How many connections there may be at a time, by each way.
const MOST: usize = 256;
/// So long a connection may be silent both ways. Pages that listen for news hear something every 20 seconds; some answers take
/// a minute and a half, through Tor above all. How long a request may take to arrive is held elsewhere.
const SILENT: Duration = Duration::from_secs(150);

/// What a connection is.
trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// Where connections of one way are handed in.
#[derive(Clone)]
pub struct Gate {
    way: Way,
    sender: mpsc::Sender<Arrived>,
    places: Arc<Places>,
    silent: Duration,
}

/// Where they come out.
pub struct Arrivals(mpsc::Receiver<Arrived>);

/// A way for connections: one end for those through Tor, one for those of a port, and where both come out.
#[must_use]
pub fn arrivals() -> (Gate, Gate, Arrivals) {
    let (sender, receiver) = mpsc::channel(16);
    let gate = |way| Gate { way, sender: sender.clone(), places: Arc::default(), silent: SILENT };
    (gate(Way::Onion), gate(Way::Port), Arrivals(receiver))
}

/// The connections of one way, the oldest first.
struct Places {
    room: Arc<Semaphore>,
    taken: Mutex<BTreeMap<u64, Arc<Place>>>,
}

impl Default for Places {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MOST)), taken: Mutex::default() }
    }
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Place>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the oldest connection behind which nobody has signed in.
    fn make_room(&self) {
        let taken = self.taken();
        if let Some(place) = taken.values().find(|place| !place.is_known() && !place.over.is_cancelled()) {
            place.over.cancel();
        }
    }
}

/// What is known of a connection.
#[derive(Debug)]
pub(in crate::web) struct Place {
    known: AtomicBool,
    over: CancellationToken,
}

impl Place {
    fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// Notes whether somebody is behind it who is signed in as of this request: so long it makes room for no stranger.
    pub(in crate::web) fn note(&self, is_in: bool) {
        self.known.store(is_in, Ordering::Relaxed);
    }
}

/// A place for one more connection.
pub struct Room {
    _permit: OwnedSemaphorePermit,
}

impl Gate {
    /// Gives a place for one more connection, once there is one; a stranger may have to go for it.
    pub async fn room(&self) -> Option<Room> {
        if let Ok(room) = Arc::clone(&self.places.room).try_acquire_owned() {
            return Some(Room { _permit: room });
        }
        self.places.make_room();
        Arc::clone(&self.places.room).acquire_owned().await.ok().map(|permit| Room { _permit: permit })
    }

    /// Hands a connection in, which ends at the latest when `cut` is cancelled. False when nobody takes them any more.
    pub async fn enter(
        &self,
        pipe: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        room: Room,
        cut: &CancellationToken,
    ) -> bool {
        let over = cut.child_token();
        let place = Arc::new(Place { known: AtomicBool::new(false), over: over.clone() });
        let number = {
            let mut taken = self.places.taken();
            let number = taken.last_key_value().map_or(0, |(last, _)| last + 1);
            taken.insert(number, Arc::clone(&place));
            number
        };
        let arrived = Arrived {
            pipe: Box::new(pipe),
            silent_until: Box::pin(tokio::time::sleep(self.silent)),
            silent: self.silent,
            over: Box::pin(over.cancelled_owned()),
            way: self.way,
            place,
            _leaves: Leaves { number, places: Arc::clone(&self.places), _room: room },
        };
        self.sender.send(arrived).await.is_ok()
    }

    /// Hands in what comes to a port, until dropped.
    pub async fn listen(&self, listener: &TcpListener) {
        let never = CancellationToken::new();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let Some(room) = self.room().await else { return };
                    if !self.enter(stream, room, &never).await {
                        return;
                    }
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// Gives a place back.
struct Leaves {
    number: u64,
    places: Arc<Places>,
    _room: Room,
}

impl Drop for Leaves {
    fn drop(&mut self) {
        self.places.taken().remove(&self.number);
    }
}

/// A connection that ends when nothing is said for too long, or when it has to.
pub(super) struct Arrived {
    pipe: Box<dyn Pipe>,
    silent_until: Pin<Box<Sleep>>,
    silent: Duration,
    over: Pin<Box<WaitForCancellationFutureOwned>>,
    way: Way,
    place: Arc<Place>,
    _leaves: Leaves,
}

impl Arrived {
    /// What requests are told of it.
    pub(super) fn from(&self) -> From {
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        From { address: nowhere, way: self.way, place: Some(Arc::clone(&self.place)) }
    }

    /// What came of an attempt to read or write; one that waits does so until the connection was silent for too long.
    fn heard<T>(&mut self, cx: &mut Context<'_>, what: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.over.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        match what {
            Poll::Ready(Ok(done)) => {
                let until = Instant::now() + self.silent;
                self.silent_until.as_mut().reset(until);
                Poll::Ready(Ok(done))
            }
            Poll::Pending if self.silent_until.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            other => other,
        }
    }
}

impl AsyncRead for Arrived {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.pipe).poll_read(cx, buf);
        self.heard(cx, read)
    }
}

impl AsyncWrite for Arrived {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.pipe).poll_write(cx, buf);
        self.heard(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl Arrivals {
    /// The next connection; none when nobody hands anything in any more.
    pub(super) async fn next(&mut self) -> Option<Arrived> {
        self.0.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    async fn enter(gate: &Gate, cut: &CancellationToken) -> DuplexStream {
        let (here, there) = tokio::io::duplex(64);
        let room = gate.room().await.unwrap();
        assert!(gate.enter(there, room, cut).await);
        here
    }

    async fn ends_with(arrived: &mut Arrived) -> io::ErrorKind {
        arrived.read_exact(&mut [0]).await.unwrap_err().kind()
    }

    #[tokio::test]
    async fn who_says_nothing_is_let_go() {
        let (gate, _, mut arrivals) = arrivals();
        let gate = Gate { silent: Duration::from_millis(1), ..gate };
        let mut here = enter(&gate, &CancellationToken::new()).await;
        let mut arrived = arrivals.next().await.unwrap();
        here.write_all(b"x").await.unwrap();
        arrived.read_exact(&mut [0]).await.unwrap();
        assert_eq!(ends_with(&mut arrived).await, io::ErrorKind::TimedOut);
        assert_eq!(gate.places.room.available_permits(), MOST - 1);
        drop(arrived);
        assert_eq!(gate.places.room.available_permits(), MOST, "its place is free again");
        assert!(gate.places.taken().is_empty());
    }

    #[tokio::test]
    async fn what_came_by_a_service_that_ended_ends_with_it() {
        let (onion, _, mut arrivals) = arrivals();
        let (cut, other) = (CancellationToken::new(), CancellationToken::new());
        let (_first, mut second) = (enter(&onion, &cut).await, enter(&onion, &other).await);
        let (mut ended, mut lives) = (arrivals.next().await.unwrap(), arrivals.next().await.unwrap());
        cut.cancel();
        assert_eq!(ends_with(&mut ended).await, io::ErrorKind::ConnectionAborted);
        second.write_all(b"x").await.unwrap();
        lives.read_exact(&mut [0]).await.unwrap();
    }

    #[tokio::test]
    async fn when_all_places_are_taken_the_oldest_stranger_gives_way() {
        let (onion, port, mut arrivals) = arrivals();
        let cut = CancellationToken::new();
        let (mut far, mut near) = (Vec::new(), Vec::new());
        for n in 0..MOST {
            far.push(enter(&onion, &cut).await);
            let arrived = arrivals.next().await.unwrap();
            // The second one was in once, and is no longer.
            arrived.place.note(true);
            arrived.place.note(n != 1);
            near.push(arrived);
        }
        // The other way has places of its own.
        let _other = enter(&port, &cut).await;
        assert_eq!(arrivals.next().await.unwrap().way, Way::Port);
        let (room, gone) = tokio::join!(onion.room(), async {
            let mut stranger = near.remove(1);
            ends_with(&mut stranger).await
        });
        assert_eq!(gone, io::ErrorKind::ConnectionAborted);
        assert!(near.iter().all(|arrived| !arrived.place.over.is_cancelled()), "who is in stays");
        // Now nobody is left who could go.
        let next = tokio::time::timeout(Duration::from_millis(10), onion.room()).await;
        assert!(next.is_err(), "the next one waits");
        drop(room);
        assert!(onion.room().await.is_some());
    }
}
