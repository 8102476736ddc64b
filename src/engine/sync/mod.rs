//! Keeping an account and its servers one: what the owner did goes out first, then what is new comes in, newest first.
//!
//! A pass may be stopped or killed anywhere. What was fetched is kept by [`super::receive`] batch by batch; what is known
//! of a folder are the UIDs noted there, so the next pass asks only for the rest.

mod folders;
mod plan;
mod pull;
mod pull_flags;
mod push;
mod push_flags;

pub(in crate::engine) use self::pull::STRAY;
use super::accounts::{self, Settings};
use super::app::App;
use super::events::{Event, Pace, Progress, Watcher};
use super::failure::Failure;
use crate::mail::ids::{AccountId, ModSeq, Uid};
use crate::network::imap::{IdleOutcome, ImapError, Role, Session};
use crate::storage::database::accounts as table;
use crate::storage::database::{AccountRow, FolderRow, commit};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a pass did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Synced {
    /// Messages that were fetched.
    pub fetched: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages whose flags or tags the server changed.
    pub flags_pulled: u64,
    /// Messages whose flags or tags were changed on the server.
    pub flags_pushed: u64,
    /// Messages moved on the server.
    pub moved: u64,
    /// Messages deleted on the server.
    pub deleted: u64,
    /// Messages and folders that could not be taken, and accounts that could not be reached.
    pub failed: u64,
    /// How long it took.
    pub seconds: f64,
    /// What failed, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

impl Synced {
    fn fail(&mut self, words: impl Into<String>) {
        self.failed += 1;
        if self.failures.len() < 20 {
            self.failures.push(words.into());
        }
    }
}

/// The word for a folder's role, as tags spell it. `all` is Gmail's "All Mail": the archive, for what lies nowhere else.
#[must_use]
pub const fn role_word(role: Option<Role>) -> &'static str {
    match role {
        Some(Role::Inbox) => "inbox",
        Some(Role::Archive) => "archive",
        Some(Role::Drafts) => "draft",
        Some(Role::Sent) => "sent",
        Some(Role::Junk) => "spam",
        Some(Role::Trash) => "trash",
        Some(Role::All) => "all",
        None => "",
    }
}

/// What one pass works with.
struct Pass<'a> {
    app: &'a Arc<App>,
    account: &'a AccountRow,
    done: Synced,
    watcher: &'a dyn Watcher,
    pace: Pace,
}

impl Pass<'_> {
    fn progress(&self, folder: &FolderRow, done: u64, total: u64) {
        if self.pace.due() {
            self.watcher.progress(Progress {
                deed: format!("Fetching {}", folder.name),
                done,
                total,
                unit: "messages".into(),
                words: String::new(),
            });
        }
    }
}

/// One full pass over one account, or over all. What fails with one account does not keep the others.
///
/// # Errors
/// Not found, for an account that is none; a failure when every account failed.
pub async fn sync(app: &Arc<App>, address: Option<&str>, watcher: &dyn Watcher) -> Result<Synced, Failure> {
    let begun = Instant::now();
    let rows = match address {
        Some(address) => vec![accounts::find(app, address).await?],
        None => table::list(&mut *app.reader.get().await?).await?,
    };
    let mut all = Synced::default();
    let (count, mut failures) = (rows.len(), Vec::new());
    for row in rows {
        let pass = app.pass(row.id);
        let _pass = pass.lock().await;
        match sync_account(app, &row, watcher, &mut None).await {
            Ok(done) => {
                all.fetched += done.fetched;
                all.bytes += done.bytes;
                all.flags_pulled += done.flags_pulled;
                all.flags_pushed += done.flags_pushed;
                all.moved += done.moved;
                all.deleted += done.deleted;
                all.failed += done.failed;
                all.failures.extend(done.failures);
            }
            Err(failure) => {
                all.fail(format!("{}: {failure}", row.address));
                failures.push(failure);
            }
        }
        if watcher.stopped() {
            break;
        }
    }
    app.indexing.commit().await?;
    all.seconds = (begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    match failures.into_iter().next() {
        Some(first) if count > 0 && all.failed as usize >= count && all.fetched == 0 => Err(first),
        _ => Ok(all),
    }
}

/// One full pass over an account, with the session at hand or a new one, which is left in `session`.
async fn sync_account(
    app: &Arc<App>,
    account: &AccountRow,
    watcher: &dyn Watcher,
    session: &mut Option<Session>,
) -> Result<Synced, Failure> {
    let result = pass(app, account, watcher, session, false).await;
    let trouble = match &result {
        Ok(_) => String::new(),
        Err(failure) => failure.words.clone(),
    };
    note(app, account.id, &trouble, result.is_ok()).await?;
    result
}

async fn note(app: &App, account: AccountId, trouble: &str, complete: bool) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let before = table::list(&mut c).await?.into_iter().find(|a| a.id == account).map(|a| a.trouble);
    table::note_sync(&mut c, account, trouble, complete.then(|| app.now())).await?;
    commit(c).await?;
    drop(writer);
    if before.as_deref().is_some_and(|before| before != trouble) {
        app.tell(Event::Trouble {
            words: if trouble.is_empty() { "Connected again".into() } else { trouble.to_owned() },
        });
    }
    Ok(())
}

/// The deeds of a pass in their order. A `quick` one looks at the inbox alone.
async fn pass(
    app: &Arc<App>,
    account: &AccountRow,
    watcher: &dyn Watcher,
    session: &mut Option<Session>,
    quick: bool,
) -> Result<Synced, Failure> {
    let mut open = match session.take() {
        Some(open) => open,
        None => Session::open(&app.dialer, &Settings::of(account)?.imap_login()?).await?,
    };
    let mut pass =
        Pass { app, account, done: Synced::default(), watcher, pace: Pace::new(Duration::from_millis(300)) };
    let mut folders =
        if quick { known_folders(app, account).await? } else { folders::list(&mut pass, &mut open).await? };
    push::push(&mut pass, &mut open, &mut folders).await?;
    let mut ordered: Vec<&FolderRow> = folders.iter().filter(|f| !quick || f.role == "inbox").collect();
    ordered.sort_by_key(|f| plan::urgency(&f.role));
    // What left one folder may lie in another: only who saw them all can say that it lies nowhere.
    let mut saw_all = !quick;
    for folder in ordered {
        match pull::pull(&mut pass, &mut open, folder).await {
            Ok(whole) => saw_all &= whole,
            Err(pull::Broken::Folder(words)) => {
                pass.done.fail(format!("{}: {words}", folder.name));
                saw_all = false;
            }
            Err(pull::Broken::Session(failure)) => return Err(failure),
        }
        if watcher.stopped() {
            saw_all = false;
            break;
        }
    }
    if saw_all {
        folders::settle(&pass).await?;
    }
    *session = Some(open);
    Ok(pass.done)
}

async fn known_folders(app: &App, account: &AccountRow) -> Result<Vec<FolderRow>, Failure> {
    Ok(table::folders(&mut *app.reader.get().await?, Some(account.id)).await?)
}

/// How long after a failure the next attempt comes: doubling from five seconds to ten minutes.
fn back_off(failures: u32) -> Duration {
    Duration::from_secs(5_u64.saturating_mul(1 << failures.saturating_sub(1).min(7)).min(600))
}

/// The background task of an account: a full pass, then waiting on the inbox for news, and so on. A lost connection is
/// tried again with back-off, and the page says so in words.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, account: AccountId, stop: CancellationToken) -> Result<(), Failure> {
    let mut failures = 0;
    let mut session: Option<Session> = None;
    let mut full_at = Instant::now();
    let mut push = app.push_wanted.subscribe();
    let mut seen = None;
    loop {
        let rows = table::list(&mut *app.reader.get().await?).await?;
        let Some(row) = rows.into_iter().find(|a| a.id == account) else { return Ok(()) };
        let minutes: u64 = super::settings::get(&app, "sync.minutes").await?.parse().unwrap_or(5);
        let quick = session.is_some() && Instant::now() < full_at;
        let result = {
            let lock = app.pass(account);
            let _pass = lock.lock().await;
            let watcher = Stopping(&app, &stop);
            if quick {
                pass(&app, &row, &watcher, &mut session, true).await
            } else {
                sync_account(&app, &row, &watcher, &mut session).await
            }
        };
        let waited = match result {
            Ok(_) => {
                failures = 0;
                if !quick {
                    full_at = Instant::now() + Duration::from_secs(minutes * 60);
                }
                app.tell(Event::Progress { words: "Up to date".into() });
                let missed = missed_news(&app, account, &mut session, &mut seen).await;
                match missed {
                    Ok(false) => wait_for_news(&mut push, &mut session, &stop, full_at).await,
                    other => other.map(drop),
                }
            }
            Err(failure) => Err(failure),
        };
        if stop.is_cancelled() {
            if let Some(session) = session.take() {
                session.logout().await;
            }
            return Ok(());
        }
        if let Err(failure) = waited {
            session = None;
            failures += 1;
            let wait = back_off(failures);
            let at =
                jiff::Zoned::now().saturating_add(jiff::SignedDuration::try_from(wait).unwrap_or_default());
            note(&app, account, &format!("{failure} Trying again at {}.", at.strftime("%H:%M:%S")), false)
                .await?;
            full_at = Instant::now();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                // Another password may help at once.
                () = app.accounts_changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// What the server counts in the inbox: another answer than before means news.
type Counters = (Option<Uid>, Option<ModSeq>);

/// Opens the inbox to wait in it. What came since the pass looked at it is in the server's answer and is never told as
/// news, so it is looked for here; the same answer twice is not, or a folder that refuses would keep us busy for ever.
async fn missed_news(
    app: &App,
    account: AccountId,
    session: &mut Option<Session>,
    seen: &mut Option<Counters>,
) -> Result<bool, Failure> {
    let Some(open) = session else { return Ok(false) };
    let selected = open.select("INBOX").await?;
    let now = (selected.uid_next, selected.highest_modseq);
    if seen.replace(now) == Some(now) {
        return Ok(false);
    }
    let folders = table::folders(&mut *app.reader.get().await?, Some(account)).await?;
    Ok(folders.iter().find(|f| f.role == "inbox").is_some_and(|inbox| {
        now.0.is_some_and(|uid| uid.0 != inbox.uid_next)
            || now.1.is_some_and(|modseq| modseq.0 != inbox.highest_modseq)
    }))
}

/// Waits in the open inbox until the server has news, the owner did something, or it is time for a full pass.
async fn wait_for_news(
    push: &mut watch::Receiver<()>,
    session: &mut Option<Session>,
    stop: &CancellationToken,
    full_at: Instant,
) -> Result<(), Failure> {
    let Some(mut open) = session.take() else { return Ok(()) };
    let woken = async {
        tokio::select! {
            () = stop.cancelled() => {}
            changed = push.changed() => drop(changed),
        }
    };
    let limit = full_at.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
    let outcome: Result<IdleOutcome, ImapError> = open.idle(woken, limit).await;
    outcome?;
    *session = Some(open);
    Ok(())
}

/// Tells the open pages, and stops when the task is to stop.
struct Stopping<'a>(&'a App, &'a CancellationToken);

impl Watcher for Stopping<'_> {
    fn progress(&self, progress: Progress) {
        super::app::Telling(self.0).progress(progress);
    }

    fn stopped(&self) -> bool {
        self.1.is_cancelled()
    }
}
