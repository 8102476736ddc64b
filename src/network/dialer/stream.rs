//! A connection that was opened: clear text or TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{DialError, Terms, handshake};

pub(super) enum Inner {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection: clear text or TLS.
pub struct Stream {
    pub(super) inner: Inner,
    pub(super) config: Arc<rustls::ClientConfig>,
    pub(super) terms: Terms,
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
        let Self { inner, config, terms } = self;
        let inner = match inner {
            Inner::Plain(tcp) => match handshake(tcp, &config, &terms).await {
                Ok(stream) => Inner::Tls(Box::new(stream)),
                Err(error) => {
                    terms.log(Some(&error));
                    return Err(error);
                }
            },
            Inner::Tls(stream) => Inner::Tls(stream),
        };
        Ok(Self { inner, config, terms })
    }

    pub(in crate::network) fn injected(self) -> DialError {
        let error = DialError::Injected { host: self.terms.host.clone() };
        self.terms.log(Some(&error));
        error
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().inner {
            Inner::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Inner::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
