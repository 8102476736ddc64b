//! Waiting for news (RFC 2177), or asking for them now and then where the server cannot call.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::ImapError;
use super::command::Command;
use super::response::Response;
use super::session::Session;

/// Why the waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleOutcome {
    /// Something in the open folder is new, gone or changed.
    News,
    /// Nothing happened for as long as was asked.
    TimedOut,
    /// The caller wanted to stop.
    Stopped,
}

enum Woken {
    Response(Response),
    Stop,
    Time,
}

impl Session {
    /// Waits until something happens in the open folder, `stop` is ready, or the time is over. The session can be
    /// used again afterwards.
    ///
    /// # Errors
    /// If the connection is gone; a server that has silently vanished is noticed at the next renewal.
    pub async fn idle(
        &mut self,
        stop: impl Future<Output = ()>,
        limit: Duration,
    ) -> Result<IdleOutcome, ImapError> {
        let mut stop = std::pin::pin!(stop);
        let end = Instant::now() + limit;
        loop {
            if std::mem::take(&mut self.news) {
                return Ok(IdleOutcome::News);
            }
            let outcome = if self.offers("IDLE") {
                let renewal = end.min(Instant::now() + self.limits.idle_renewal);
                self.idle_once(stop.as_mut(), renewal).await?
            } else {
                let round = end.min(Instant::now() + self.limits.poll);
                self.poll_once(stop.as_mut(), round).await?
            };
            match outcome {
                IdleOutcome::TimedOut if Instant::now() < end => {}
                done => {
                    self.news = false;
                    return Ok(done);
                }
            }
        }
    }

    async fn idle_once(
        &mut self,
        stop: impl Future<Output = ()> + Unpin,
        until: Instant,
    ) -> Result<IdleOutcome, ImapError> {
        let mut news = false;
        let tag = self.begin(Command::new("IDLE"), &mut |response| news |= is_news(&response)).await?;
        self.await_continuation(&tag, &mut |response| news |= is_news(&response)).await?;
        let mut outcome = if news { Some(IdleOutcome::News) } else { None };
        let mut stop = stop;
        while outcome.is_none() {
            outcome = match self.wake(&mut stop, until).await? {
                Woken::Stop => Some(IdleOutcome::Stopped),
                Woken::Time => Some(IdleOutcome::TimedOut),
                Woken::Response(response) => is_news(&response).then_some(IdleOutcome::News),
            };
        }
        self.send(b"DONE\r\n").await?;
        let deadline = Instant::now() + self.limits.silence * 2;
        self.finish(&tag, deadline, |response| news |= is_news(&response)).await?;
        Ok(if news { IdleOutcome::News } else { outcome.unwrap_or(IdleOutcome::TimedOut) })
    }

    async fn wake(
        &mut self,
        stop: &mut (impl Future<Output = ()> + Unpin),
        until: Instant,
    ) -> Result<Woken, ImapError> {
        // Waiting can be dropped at any moment; reading a response, once it has begun, is not.
        let readable = tokio::select! {
            () = stop => return Ok(Woken::Stop),
            readable = timeout_at(until, self.wire.readable()) => readable,
        };
        match readable {
            Err(_) => Ok(Woken::Time),
            Ok(Err(_)) => Err(self.lost("it was closed while waiting for news")),
            Ok(Ok(())) => self.next().await.map(Woken::Response),
        }
    }

    async fn poll_once(
        &mut self,
        stop: impl Future<Output = ()> + Unpin,
        until: Instant,
    ) -> Result<IdleOutcome, ImapError> {
        tokio::select! {
            () = stop => return Ok(IdleOutcome::Stopped),
            () = tokio::time::sleep_until(until) => {}
        }
        let mut news = false;
        self.run_each(Command::new("NOOP"), |response| news |= is_news(&response)).await?;
        Ok(if news { IdleOutcome::News } else { IdleOutcome::TimedOut })
    }
}

const fn is_news(response: &Response) -> bool {
    matches!(response, Response::Exists(_) | Response::Expunge | Response::Fetch(_) | Response::Unreadable(_))
}
