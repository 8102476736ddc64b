//! A connection that was opened: clear text or TLS, direct or through Tor.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{DialError, Terms, arti, handshake};

/// What carries the bytes.
pub(super) enum Pipe {
    Tcp(TcpStream),
    Tor(arti::Wire),
}

pub(super) enum Inner {
    Plain(Pipe),
    Tls(Box<TlsStream<Pipe>>),
}

/// A connection: clear text or TLS.
pub struct Stream {
    pub(super) inner: Inner,
    pub(super) config: Arc<rustls::ClientConfig>,
    pub(super) terms: Terms,
    /// Ready once a switch says that this connection should not be there.
    pub(super) cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Stream {
    /// Whether what is written now is protected by TLS.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.inner, Inner::Tls(_))
    }

    /// Begins TLS on a connection in clear. The caller makes sure that it has read nothing ahead.
    ///
    /// # Errors
    /// If the server does not prove who it is; the connection is then gone.
    pub async fn upgrade(self) -> Result<Self, DialError> {
        let Self { inner, config, terms, cut } = self;
        let inner = match inner {
            Inner::Plain(pipe) => match handshake(pipe, &config, &terms).await {
                Ok(stream) => Inner::Tls(Box::new(stream)),
                Err(error) => {
                    terms.log(Some(&error));
                    return Err(error);
                }
            },
            Inner::Tls(stream) => Inner::Tls(stream),
        };
        Ok(Self { inner, config, terms, cut })
    }

    pub(in crate::network) fn injected(self) -> DialError {
        let error = DialError::Injected { host: self.terms.host.clone() };
        self.terms.log(Some(&error));
        error
    }
}

impl Stream {
    fn is_cut(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.is_cut(cx)?;
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.is_cut(cx)?;
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_cut(cx)?;
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Inner::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tor(wire) => Pin::new(wire).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tor(wire) => Pin::new(wire).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tor(wire) => Pin::new(wire).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tor(wire) => Pin::new(wire).poll_shutdown(cx),
        }
    }
}
