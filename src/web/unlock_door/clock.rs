//! The time as the unlock door knows it, so that tests can hold it still.

use std::time::Duration;

/// Tells the time since it was made, and waits for one.
pub(super) struct Clock {
    begun: tokio::time::Instant,
    #[cfg(test)]
    held: Option<Held>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            begun: tokio::time::Instant::now(),
            #[cfg(test)]
            held: None,
        }
    }
}

impl Clock {
    /// How much time has passed.
    pub(super) fn now(&self) -> Duration {
        #[cfg(test)]
        if let Some(held) = &self.held {
            return held.now();
        }
        self.begun.elapsed()
    }

    /// Waits until so much has.
    pub(super) async fn until(&self, at: Duration) {
        #[cfg(test)]
        if let Some(held) = &self.held {
            return held.until(at).await;
        }
        tokio::time::sleep_until(self.begun + at).await;
    }

    /// The time, UTC seconds.
    pub(super) fn unix(&self) -> i64 {
        #[cfg(test)]
        if let Some(held) = &self.held {
            return held.unix();
        }
        jiff::Timestamp::now().as_second()
    }
}

/// A clock that a test moves on, and that notes who waits for when.
#[cfg(test)]
#[derive(Clone)]
pub(super) struct Held {
    now: tokio::sync::watch::Sender<Duration>,
    waits: tokio::sync::watch::Sender<Vec<Duration>>,
    unix: std::sync::Arc<std::sync::atomic::AtomicI64>,
}

#[cfg(test)]
impl Held {
    pub(super) fn at(unix: i64) -> Self {
        Self {
            now: tokio::sync::watch::channel(Duration::ZERO).0,
            waits: tokio::sync::watch::channel(Vec::new()).0,
            unix: std::sync::Arc::new(unix.into()),
        }
    }

    pub(super) fn clock(&self) -> Clock {
        Clock { held: Some(self.clone()), ..Clock::default() }
    }

    fn now(&self) -> Duration {
        *self.now.borrow()
    }

    fn unix(&self) -> i64 {
        self.unix.load(std::sync::atomic::Ordering::SeqCst)
    }

    pub(super) fn set_unix(&self, unix: i64) {
        self.unix.store(unix, std::sync::atomic::Ordering::SeqCst);
    }

    async fn until(&self, at: Duration) {
        self.waits.send_modify(|waits| waits.push(at));
        let mut now = self.now.subscribe();
        now.wait_for(|now| *now >= at).await.unwrap();
    }

    /// Moves on.
    pub(super) fn go_to(&self, at: Duration) {
        self.now.send_replace(at);
    }

    /// Waits until so many waits were begun since this was asked last; gives for when they are.
    pub(super) async fn waits(&self, count: usize) -> Vec<Duration> {
        let mut waits = self.waits.subscribe();
        waits.wait_for(|waits| waits.len() >= count).await.unwrap();
        self.waits.send_replace(Vec::new())
    }
}
