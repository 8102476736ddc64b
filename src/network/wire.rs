//! A connection read by lines and counted bytes: the part that IMAP, SMTP and HTTP have in common.
//!
//! Nothing is read without a bound in bytes and in time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use super::dialer::{DialError, Stream};

/// How much is taken from the socket at a time.
const CHUNK_BYTES: usize = 16 * 1024;
/// Slower than this for long is not slow, it is an attack or a dead line.
const SLOWEST_BYTES_PER_SECOND: u64 = 500;

/// Why nothing more could be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WireError {
    /// The other side is gone.
    Closed,
    /// It says nothing.
    TimedOut,
    /// A line grew beyond its bound.
    TooLong,
}

/// A stream with what was read ahead from it.
pub(super) struct Wire {
    stream: Stream,
    ahead: Vec<u8>,
    /// Where the unread part of `ahead` begins.
    start: usize,
    /// How long to wait for a byte.
    pub(super) silence: Duration,
}

impl Wire {
    pub(super) const fn new(stream: Stream, silence: Duration) -> Self {
        Self { stream, ahead: Vec::new(), start: 0, silence }
    }

    fn unread(&self) -> &[u8] {
        self.ahead.get(self.start..).unwrap_or_default()
    }

    /// Reads one line, given without its CRLF (or bare LF).
    pub(super) async fn line(&mut self, limit: usize) -> Result<Vec<u8>, WireError> {
        let deadline = Instant::now() + self.silence * 2 + at_least(limit.min(1 << 20));
        let mut searched = 0;
        loop {
            let fresh = self.unread().get(searched..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|&byte| byte == b'\n') {
                let end = searched + end;
                let mut line = self.unread().get(..end).unwrap_or_default().to_vec();
                self.start += end + 1;
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return if line.len() > limit { Err(WireError::TooLong) } else { Ok(line) };
            }
            searched = self.unread().len();
            if searched > limit {
                return Err(WireError::TooLong);
            }
            self.more(deadline).await?;
        }
    }

    /// Reads exactly `count` bytes. Memory grows with what arrives, not with what was announced.
    pub(super) async fn exact(&mut self, count: usize) -> Result<Vec<u8>, WireError> {
        let deadline = Instant::now() + self.silence + at_least(count);
        let mut bytes = Vec::with_capacity(count.min(1 << 20));
        loop {
            let unread = self.unread();
            let taken = unread.len().min(count - bytes.len());
            bytes.extend_from_slice(unread.get(..taken).unwrap_or_default());
            self.start += taken;
            if bytes.len() == count {
                return Ok(bytes);
            }
            self.more(deadline).await?;
        }
    }

    async fn more(&mut self, deadline: Instant) -> Result<(), WireError> {
        if self.start == self.ahead.len() {
            self.ahead.clear();
            self.start = 0;
        } else if self.start > CHUNK_BYTES {
            self.ahead.drain(..self.start);
            self.start = 0;
        }
        self.ahead.reserve(CHUNK_BYTES);
        let until = deadline.min(Instant::now() + self.silence);
        match timeout_at(until, self.stream.read_buf(&mut self.ahead)).await {
            Err(_) => Err(WireError::TimedOut),
            Ok(Ok(0) | Err(_)) => Err(WireError::Closed),
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// Waits until there is something to read. Nothing is lost when this is dropped.
    pub(super) async fn readable(&mut self) -> Result<(), WireError> {
        if self.unread().is_empty() {
            self.ahead.clear();
            self.start = 0;
            match self.stream.read_buf(&mut self.ahead).await {
                Ok(0) | Err(_) => return Err(WireError::Closed),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Writes it all and sends it off.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            flatten(&timeout(self.silence, self.stream.write_all(chunk)).await)?;
        }
        flatten(&timeout(self.silence, self.stream.flush()).await)
    }

    /// Begins TLS in the middle of a conversation. Whatever the server said in clear beyond its permission was
    /// said by an attacker, or will be taken for one (CVE-2011-0411, CVE-2021-38084).
    pub(super) async fn upgrade(self) -> Result<Self, DialError> {
        let silence = self.silence;
        if self.unread().is_empty() {
            Ok(Self::new(self.stream.upgrade().await?, silence))
        } else {
            Err(self.stream.injected())
        }
    }

    /// Says goodbye to the transport; nobody waits for the answer.
    pub(super) async fn close(mut self) {
        if let Ok(Err(error)) = timeout(Duration::from_secs(2), self.stream.shutdown()).await {
            tracing::debug!(%error, "A connection did not end properly");
        }
    }
}

const fn flatten(result: &Result<std::io::Result<()>, Elapsed>) -> Result<(), WireError> {
    match result {
        Err(_) => Err(WireError::TimedOut),
        Ok(Err(_)) => Err(WireError::Closed),
        Ok(Ok(())) => Ok(()),
    }
}

fn at_least(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / SLOWEST_BYTES_PER_SECOND)
}

/// A server's words for people: printable, on one line, of bounded length.
pub(super) fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(2000)).unwrap_or_default());
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
