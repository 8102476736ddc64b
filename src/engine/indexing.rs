//! Keeping the search index in step with the store.
//!
//! Messages enter the index in the order of their numbers, and the index remembers the highest one it holds. New mail is
//! added as it is received while the index is level with the database; otherwise [`Indexing::catch_up`] reads the
//! missing messages from the packs until it is. So an index that is old, damaged or gone is merely one that has more to catch up.

use super::app::App;
use super::events::{Pace, Progress, Watcher};
use super::failure::{Failure, blocking};
use super::receive::{Indexable, indexable};
use crate::crypto::secret::Key;
use crate::mail::ids::MessageNumber;
use crate::storage::database::messages;
use crate::storage::index::{Index, IndexError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify};

/// How many messages may be added before they are committed, so that a kill costs little catching up.
const COMMIT_EVERY: u32 = 20_000;
/// So many messages that are not committed are an import, not new mail.
const BULK: u32 = 1_000;
/// How many messages are read from the packs at a time.
const CATCH_UP: u32 = 200;
/// How much memory opened pages of the index may take.
const CACHE_BYTES: usize = 24 << 20;

/// The index and how far it has come.
pub struct Indexing {
    index: Arc<Index>,
    state: Mutex<State>,
    /// Told when there is something to catch up with or to commit.
    pub wake: Notify,
}

struct State {
    to: u32,
    level: bool,
    uncommitted: u32,
    committed_at: Instant,
}

/// How far the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The highest number it holds.
    pub to: u32,
    /// Whether it holds everything.
    pub level: bool,
}

impl Indexing {
    /// Opens the index; one that is damaged or of another version is thrown away and made anew.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn open(path: &Path, key: &Key, store_id: [u8; 16]) -> Result<Self, IndexError> {
        let index = match Index::open(path, key, store_id, CACHE_BYTES) {
            Err(IndexError::Damaged) => {
                tracing::warn!("The search index is damaged or of an older version and is built anew");
                Index::wipe(path)?;
                Index::open(path, key, store_id, CACHE_BYTES)?
            }
            opened => opened?,
        };
        let to = index.position();
        Ok(Self {
            index: Arc::new(index),
            state: Mutex::new(State { to, level: false, uncommitted: 0, committed_at: Instant::now() }),
            wake: Notify::new(),
        })
    }

    /// The index, to search in.
    #[must_use]
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index)
    }

    /// How far the index is.
    pub async fn standing(&self) -> Standing {
        let state = self.state.lock().await;
        Standing { to: state.to, level: state.level }
    }

    /// Notes that the index holds everything, if it does: `last` is the highest number there is.
    pub async fn begin(&self, last: u32) {
        let mut state = self.state.lock().await;
        state.level = state.to >= last;
    }

    /// Adds messages that were just received. Called in the order of their numbers, under the writer's lock.
    /// An index that fails now catches up later: the mail itself is safe.
    pub async fn offer(&self, documents: Vec<Indexable>) {
        let mut state = self.state.lock().await;
        if !documents.is_empty() && state.level {
            let documents = documents.into_iter().filter(|d| d.number.0 > state.to).collect();
            if let Err(error) = self.add(&mut state, documents).await {
                tracing::warn!(%error, "Indexing new mail failed; it is tried again");
                state.level = false;
            }
        }
        drop(state);
        self.wake.notify_one();
    }

    async fn add(&self, state: &mut State, documents: Vec<Indexable>) -> Result<(), Failure> {
        let Some(last) = documents.last().map(|d| d.number.0) else { return Ok(()) };
        let count = u32::try_from(documents.len()).unwrap_or(u32::MAX);
        let index = self.index();
        blocking(move || {
            let documents: Vec<_> = documents.iter().map(Indexable::document).collect();
            index.add(&documents)
        })
        .await?;
        state.to = last;
        state.uncommitted = state.uncommitted.saturating_add(count);
        if state.uncommitted >= COMMIT_EVERY {
            self.commit_now(state).await?;
        }
        Ok(())
    }

    async fn commit_now(&self, state: &mut State) -> Result<(), Failure> {
        let index = self.index();
        blocking(move || index.commit()).await?;
        state.uncommitted = 0;
        state.committed_at = Instant::now();
        Ok(())
    }

    /// Makes everything that was added findable.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn commit(&self) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if state.uncommitted == 0 {
            return Ok(());
        }
        self.commit_now(&mut state).await
    }

    /// The same, but in the middle of an import not more often than once in two seconds.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn commit_if_due(&self) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        let in_bulk = state.uncommitted > BULK && state.committed_at.elapsed() < Duration::from_secs(2);
        if state.uncommitted == 0 || in_bulk {
            return Ok(());
        }
        self.commit_now(&mut state).await
    }

    /// Indexes what the store has and the index does not, then commits.
    ///
    /// # Errors
    /// When the store or the index fails. A message that cannot be read is stepped over: `check` names it.
    pub async fn catch_up(&self, app: &Arc<App>, watcher: &dyn Watcher) -> Result<(), Failure> {
        let pace = Pace::new(Duration::from_millis(500));
        loop {
            let mut state = self.state.lock().await;
            let mut reader = app.reader.get().await?;
            let rows = messages::after(&mut reader, MessageNumber(state.to), CATCH_UP).await?;
            let Some(last) = rows.last().map(|row| row.number) else {
                state.level = true;
                break;
            };
            let (packs, total) = (Arc::clone(&app.packs), messages::totals(&mut reader).await?.0);
            drop(reader);
            let documents = blocking(move || {
                Ok::<_, Failure>(
                    rows.iter()
                        .filter_map(|row| match packs.read(row.place) {
                            Ok(record) => Some(indexable(row.number, row.date, row.size, &record.raw)),
                            Err(error) => {
                                tracing::warn!(%error, "A message cannot be read for the index");
                                None
                            }
                        })
                        .collect::<Vec<_>>(),
                )
            })
            .await?;
            self.add(&mut state, documents).await?;
            state.to = last.0;
            drop(state);
            if pace.due() {
                watcher.progress(Progress {
                    deed: "Indexing".into(),
                    done: u64::from(last.0).min(total),
                    total,
                    unit: "messages".into(),
                    words: String::new(),
                });
            }
            if watcher.stopped() {
                break;
            }
        }
        self.commit().await
    }

    /// Takes messages out of the index, with their words, for good.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn forget(&self, numbers: Vec<MessageNumber>) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        let index = self.index();
        blocking(move || {
            index.delete(&numbers)?;
            index.commit()?;
            index.purge_deleted()
        })
        .await?;
        state.uncommitted = 0;
        Ok(())
    }
}

/// Where the index of a data directory lies.
#[must_use]
pub fn path(data: &Path) -> PathBuf {
    data.join("index")
}

/// The background task: catches up, and commits what came in when it has been quiet for a second.
///
/// # Errors
/// When the store or the index fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: tokio_util::sync::CancellationToken) -> Result<(), Failure> {
    loop {
        let standing = app.indexing.standing().await;
        if !standing.level {
            app.indexing.catch_up(&app, &super::app::Telling(&app)).await?;
        }
        tokio::select! {
            () = stop.cancelled() => return app.indexing.commit().await,
            () = app.indexing.wake.notified() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return app.indexing.commit().await,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        app.indexing.commit().await?;
    }
}
