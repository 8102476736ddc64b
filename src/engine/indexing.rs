//! Keeping the search index in step with the store.
//!
//! Messages enter the index in the order of their numbers, and the index remembers the highest one it holds. New mail is
//! added as it is received while the index is level with the database; otherwise [`Indexing::catch_up`] reads the
//! missing messages from the packs until it is. So an index that is old, damaged or gone is merely one that has more to catch up.
//!
//! Each commit bears a sign, and the database knows the last one and the one that is being written. An index with any
//! other sign is not the one that goes with this database (it was rolled back, or the database was restored): it is
//! built anew.

use super::app::{App, Telling};
use super::envelopes::Openers;
use super::events::{Nobody, Pace, Progress, Watcher};
use super::failure::{Failure, blocking};
use super::receive::{Indexable, indexable};
use crate::crypto::secret::{Key, random};
use crate::mail::ids::MessageNumber;
use crate::storage::database::messages::MessageRow;
use crate::storage::database::{self, messages, settings};
use crate::storage::index::{Index, IndexError};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Guarded, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Notify};

/// How many messages may be added before they are committed, so that a kill costs little catching up.
const COMMIT_EVERY: u32 = 20_000;
/// So many messages that are not committed are an import, not new mail.
const BULK: u32 = 1_000;
/// How many messages are read from the packs at a time …
const CATCH_UP: u32 = 200;
/// … and how many bytes of them, unless one message alone is larger.
const CATCH_UP_BYTES: u64 = 8 << 20;
/// How much memory opened pages of the index may take.
const CACHE_BYTES: usize = 24 << 20;
/// Under this name the database keeps the signs of the last commit and of the one being written.
pub(super) const SIGNS: &str = "index.signs";
/// Stands for the sign of an index that has none.
const UNSIGNED: &str = "-";

/// The index and how far it has come.
pub struct Indexing {
    place: Place,
    database: database::Writer,
    index: RwLock<Arc<Index>>,
    state: Mutex<State>,
    /// What [`Indexing::standing`] tells, without waiting for whoever works on the index.
    standing: Guarded<Standing>,
    /// Words of deleted messages are being rewritten away, which may take long.
    purging: AtomicBool,
    /// Something was not offered to the index and has to be caught up with.
    missed: AtomicBool,
    /// Told when there is something to catch up with or to commit.
    pub wake: Notify,
}

#[derive(Clone)]
struct Place {
    path: PathBuf,
    key: Key,
    store_id: [u8; 16],
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

impl Place {
    fn open(&self) -> Result<Index, IndexError> {
        Index::open(&self.path, &self.key, self.store_id, CACHE_BYTES)
    }

    fn open_anew(&self) -> Result<Index, IndexError> {
        Index::wipe(&self.path)?;
        self.open()
    }
}

/// Whether an index is the one that goes with a database that knows these signs.
fn belongs(index: &Index, signs: Option<&str>) -> bool {
    let sign = index.sign();
    match signs {
        // An index and a database from before there were signs.
        None => sign.is_none(),
        Some(signs) => {
            let is_empty = sign.is_none() && index.position() == 0;
            is_empty || signs.split(' ').any(|known| known == sign.as_deref().unwrap_or(UNSIGNED))
        }
    }
}

/// Ends the time of purging, however it ends.
struct Purging<'a>(&'a AtomicBool);

impl Drop for Purging<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Indexing {
    /// Opens the index; one that is damaged, of another version or of another time than the database is thrown away and
    /// made anew. `signs` is what the database keeps under [`SIGNS`].
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn open(
        path: PathBuf,
        key: Key,
        store_id: [u8; 16],
        database: database::Writer,
        signs: Option<&str>,
    ) -> Result<Self, IndexError> {
        let place = Place { path, key, store_id };
        let index = match place.open() {
            Err(IndexError::Damaged) => {
                tracing::warn!("The search index is damaged or of an older version and is built anew");
                place.open_anew()?
            }
            opened => opened?,
        };
        let index = if belongs(&index, signs) {
            index
        } else {
            tracing::warn!(
                "The search index does not belong to this state of the database and is built anew"
            );
            drop(index);
            place.open_anew()?
        };
        let to = index.position();
        Ok(Self {
            place,
            database,
            index: RwLock::new(Arc::new(index)),
            state: Mutex::new(State { to, level: false, uncommitted: 0, committed_at: Instant::now() }),
            standing: Guarded::new(Standing { to, level: false }),
            purging: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            wake: Notify::new(),
        })
    }

    /// The index, to search in.
    #[must_use]
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Refuses every further change of the index.
    pub fn close(&self) {
        self.index().close();
    }

    /// How far the index is.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let standing = *self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        Standing { level: standing.level && !self.missed.load(Ordering::Acquire), ..standing }
    }

    fn show(&self, state: &State) {
        let standing = Standing { to: state.to, level: state.level };
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// Notes that the index holds everything, if it does: `alive` is the highest number of a message that is there, `last`
    /// the highest that was ever given.
    pub async fn begin(&self, alive: u32, last: u32) {
        let mut state = self.state.lock().await;
        state.level = state.to >= alive;
        if state.level {
            state.to = state.to.max(last);
        }
        self.show(&state);
    }

    /// Adds messages that were just received. An index that fails now, or is busy, catches up later: the mail itself is
    /// safe. So it does where a batch with lower numbers has not been offered yet.
    pub async fn offer(&self, documents: Vec<Indexable>) {
        if documents.is_empty() {
        } else if self.purging.load(Ordering::Acquire) {
            self.missed.store(true, Ordering::Release);
        } else {
            let mut state = self.state.lock().await;
            let documents: Vec<_> = documents.into_iter().filter(|d| d.number.0 > state.to).collect();
            if documents.first().is_some_and(|first| first.number.0 > state.to + 1) {
                state.level = false;
            }
            if state.level
                && let Err(error) = self.add(&mut state, documents).await
            {
                tracing::warn!(%error, "Indexing new mail failed; it is tried again");
            }
            self.show(&state);
        }
        self.wake.notify_one();
    }

    /// Indexes messages anew of which more is understood now. Those that were not indexed yet will be.
    ///
    /// # Errors
    /// When the index cannot be written; then it catches up.
    pub async fn again(&self, documents: Vec<Indexable>) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        let known: Vec<_> = documents.into_iter().filter(|d| d.number.0 <= state.to).collect();
        let count = u32::try_from(known.len()).unwrap_or(u32::MAX);
        self.work(&mut state, move |index| {
            let documents: Vec<_> = known.iter().map(Indexable::document).collect();
            index.add(&documents)
        })
        .await?;
        state.uncommitted = state.uncommitted.saturating_add(count);
        self.show(&state);
        self.wake.notify_one();
        Ok(())
    }

    async fn add(&self, state: &mut State, documents: Vec<Indexable>) -> Result<(), Failure> {
        let Some(last) = documents.last().map(|d| d.number.0) else { return Ok(()) };
        let count = u32::try_from(documents.len()).unwrap_or(u32::MAX);
        self.work(state, move |index| {
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

    /// Works on the index. After any failure it is back at its last commit, and what came since is caught up with; one that
    /// is damaged is built anew.
    async fn work(
        &self,
        state: &mut State,
        work: impl FnOnce(&Index) -> Result<(), IndexError> + Send + 'static,
    ) -> Result<(), Failure> {
        let index = self.index();
        let failure = match blocking(move || Ok::<_, Failure>(work(&index))).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => {
                if matches!(error, IndexError::Damaged) {
                    self.build_anew(state).await?;
                }
                error.into()
            }
            Err(failure) => failure,
        };
        (state.to, state.level, state.uncommitted) = (self.index().position(), false, 0);
        self.show(state);
        self.wake.notify_one();
        Err(failure)
    }

    async fn build_anew(&self, state: &mut State) -> Result<(), Failure> {
        tracing::warn!("The search index is damaged and is built anew");
        let (old, place) = (self.index(), self.place.clone());
        let fresh = blocking(move || {
            old.close();
            drop(old);
            place.open_anew()
        })
        .await?;
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        (state.to, state.level, state.uncommitted) = (0, false, 0);
        self.show(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Throws an index away in which damage was found, and begins a new one, unless that was done already.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub async fn replace(&self, damaged: &Arc<Index>) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if Arc::ptr_eq(&self.index(), damaged) { self.build_anew(&mut state).await } else { Ok(()) }
    }

    async fn commit_now(&self, state: &mut State) -> Result<(), Failure> {
        let sign = self.announce().await?;
        self.work(state, move |index| {
            index.sign_next(&sign);
            index.commit().map(drop)
        })
        .await?;
        state.uncommitted = 0;
        state.committed_at = Instant::now();
        Ok(())
    }

    /// Tells the database which sign the next commit bears. Until it is written, that of the last one counts, too.
    async fn announce(&self) -> Result<String, Failure> {
        let sign = data_encoding::HEXLOWER.encode(&random::<8>());
        let last = self.index().sign();
        let mut c = self.database.begin().await?;
        settings::set(&mut c, SIGNS, &format!("{} {sign}", last.as_deref().unwrap_or(UNSIGNED))).await?;
        database::commit(c).await?;
        Ok(sign)
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

    /// The same, but in the middle of an import not more often than once in two seconds, and not while deleted words are
    /// rewritten away.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub async fn commit_if_due(&self) -> Result<(), Failure> {
        if self.purging.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut state = self.state.lock().await;
        let in_bulk = state.uncommitted > BULK && state.committed_at.elapsed() < Duration::from_secs(2);
        if state.uncommitted == 0 || in_bulk {
            return Ok(());
        }
        self.commit_now(&mut state).await
    }

    /// The index with everything in it that the store holds now.
    ///
    /// # Errors
    /// When the store or the index fails.
    pub async fn current(&self, app: &Arc<App>) -> Result<Arc<Index>, Failure> {
        if !self.standing().level {
            self.catch_up(app, &Nobody).await?;
        }
        if let Err(error) = self.commit().await {
            tracing::warn!(%error, "The search index failed and catches up");
            self.catch_up(app, &Nobody).await?;
        }
        Ok(self.index())
    }

    /// Indexes what the store has and the index does not, then commits. An index that turns out to be damaged is begun
    /// anew, once.
    ///
    /// # Errors
    /// When the store or the index fails. A message that cannot be read is stepped over: `check` names it.
    pub async fn catch_up(&self, app: &Arc<App>, watcher: &dyn Watcher) -> Result<(), Failure> {
        let before = self.index();
        match self.catch_up_once(app, watcher).await {
            Err(_) if !Arc::ptr_eq(&before, &self.index()) => self.catch_up_once(app, watcher).await,
            other => other,
        }
    }

    async fn catch_up_once(&self, app: &Arc<App>, watcher: &dyn Watcher) -> Result<(), Failure> {
        let pace = Pace::new(Duration::from_millis(500));
        loop {
            let mut state = self.state.lock().await;
            // Before the rows are asked for: what is missed from here on is not among them.
            self.missed.store(false, Ordering::Release);
            let mut reader = app.reader.get().await?;
            let mut rows = messages::after(&mut reader, MessageNumber(state.to), CATCH_UP).await?;
            rows.truncate(some_of(&rows));
            let Some(last) = rows.last().map(|row| row.number) else {
                state.level = true;
                self.show(&state);
                break;
            };
            let (packs, total) = (Arc::clone(&app.packs), messages::totals(&mut reader).await?.0);
            let openers = Openers::of(app, &mut reader, rows.iter().map(|row| row.number)).await?;
            drop(reader);
            let documents = blocking(move || {
                Ok::<_, Failure>(
                    rows.iter()
                        .filter_map(|row| match packs.read(row.place) {
                            Ok(record) => {
                                let looked = openers.look(Some(row.number), &record.raw, &[]);
                                Some(indexable(row.number, row.date, row.size, looked))
                            }
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
            self.show(&state);
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
        self.purging.store(true, Ordering::Release);
        let _purging = Purging(&self.purging);
        let sign = self.announce().await?;
        self.work(&mut state, move |index| {
            index.delete(&numbers)?;
            index.sign_next(&sign);
            index.commit()?;
            index.purge_deleted()
        })
        .await?;
        state.uncommitted = 0;
        Ok(())
    }
}

/// How many of these messages are read at a time: at least one.
fn some_of(rows: &[MessageRow]) -> usize {
    let mut bytes = 0;
    let fit = rows.iter().take_while(|row| {
        bytes += row.size;
        bytes <= CATCH_UP_BYTES
    });
    fit.count().max(1)
}

/// The background task: catches up, and commits what came in when it has been quiet for a second.
///
/// # Errors
/// When the store or the index fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: tokio_util::sync::CancellationToken) -> Result<(), Failure> {
    loop {
        if !app.indexing.standing().level {
            app.indexing.catch_up(&app, &Telling(&app)).await?;
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
