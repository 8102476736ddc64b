//! Connections from elsewhere, by whichever way: all of them come through one channel to the one remote door. None may be held
//! open for long without a word, and there are never more than so many.

use super::From;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};

/// How many connections there may be at a time.
const MOST: usize = 512;
/// So long a connection may be silent both ways. Pages that listen for news hear something every 20 seconds.
const SILENT: Duration = Duration::from_secs(75);

/// What a connection is.
trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// Where connections are handed in.
#[derive(Clone)]
pub struct Gate {
    sender: mpsc::Sender<Arrived>,
    room: Arc<Semaphore>,
    silent: Duration,
}

/// Where they come out.
pub struct Arrivals(mpsc::Receiver<Arrived>);

/// A way for connections, both ends.
#[must_use]
pub fn arrivals() -> (Gate, Arrivals) {
    let (sender, receiver) = mpsc::channel(16);
    (Gate { sender, room: Arc::new(Semaphore::new(MOST)), silent: SILENT }, Arrivals(receiver))
}

impl Gate {
    /// Waits until there is room for one more connection.
    pub async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Hands a connection in. False when nobody takes them any more.
    pub async fn enter(
        &self,
        pipe: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        room: OwnedSemaphorePermit,
    ) -> bool {
        let arrived = Arrived {
            pipe: Box::new(pipe),
            silent_until: Box::pin(tokio::time::sleep(self.silent)),
            silent: self.silent,
            _room: room,
        };
        self.sender.send(arrived).await.is_ok()
    }

    /// Hands in what comes to a port, until dropped.
    pub async fn listen(&self, listener: &TcpListener) {
        while let Some(room) = self.room().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    if !self.enter(stream, room).await {
                        return;
                    }
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// A connection that ends when nothing is said for too long.
pub struct Arrived {
    pipe: Box<dyn Pipe>,
    silent_until: Pin<Box<Sleep>>,
    silent: Duration,
    _room: OwnedSemaphorePermit,
}

impl Arrived {
    /// What came of an attempt to read or write; one that waits does so until the connection was silent for too long.
    fn heard<T>(&mut self, cx: &mut Context<'_>, what: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
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

impl axum::extract::connect_info::Connected<axum::serve::IncomingStream<'_, Arrivals>> for From {
    fn connect_info(_: axum::serve::IncomingStream<'_, Arrivals>) -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

impl axum::serve::Listener for Arrivals {
    type Io = Arrived;
    type Addr = ();

    async fn accept(&mut self) -> (Arrived, ()) {
        match self.0.recv().await {
            Some(arrived) => (arrived, ()),
            // Nobody hands anything in any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::serve::Listener;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn who_says_nothing_is_let_go() {
        let (gate, mut arrivals) = arrivals();
        let gate = Gate { silent: Duration::from_millis(1), ..gate };
        let (mut here, there) = tokio::io::duplex(64);
        let room = gate.room().await.unwrap();
        assert!(gate.enter(there, room).await);
        let (mut arrived, ()) = arrivals.accept().await;
        here.write_all(b"x").await.unwrap();
        let mut byte = [0];
        arrived.read_exact(&mut byte).await.unwrap();
        let ended = arrived.read_exact(&mut byte).await.unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        assert_eq!(gate.room.available_permits(), MOST - 1);
        drop(arrived);
        assert_eq!(gate.room.available_permits(), MOST, "its place is free again");
    }

    #[tokio::test]
    async fn there_is_room_for_so_many() {
        let (gate, _arrivals) = arrivals();
        let mut rooms = Vec::new();
        for _ in 0..MOST {
            rooms.push(gate.room().await.unwrap());
        }
        let next = tokio::time::timeout(Duration::from_millis(10), gate.room()).await;
        assert!(next.is_err(), "the next one waits");
        rooms.pop();
        assert!(gate.room().await.is_some());
    }
}
