//! Pictures that a message wants from other people's servers: fetched when the owner says so, once, drawn anew, kept
//! sealed. Never for encrypted mail, never what only tracks; every fetch goes through the one door.

use super::app::App;
use super::failure::{Failure, blocking};
use super::read::Opened;
use super::{senders, settings};
use crate::mail::html::{self, Options, Remote, Sanitised};
use crate::mail::ids::MessageNumber;
use crate::network::dialer::{DialError, Purpose};
use crate::network::http::{self, Ask, HttpError, Limits};
use crate::network::web_address::WebAddress;
use crate::storage::database::{PictureRow, commit, pictures, tags};
use crate::worker::{Made, Size};
use futures_util::{StreamExt, stream};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// The most pictures of one message that are fetched.
pub const MOST: usize = 100;
/// What one picture may cost; no server may lead on for ever.
const LIMITS: Limits = Limits { bytes: 10 << 20, time: Duration::from_secs(40), redirects: 5 };
/// How many bytes of one message are fetched; no further picture is begun beyond.
const MOST_BYTES: usize = 40 << 20;
/// How many are fetched at a time, of all messages together.
const AT_A_TIME: usize = 4;
/// How long the pictures of one message may take, all together.
const WHOLE_LIMIT: Duration = Duration::from_secs(90);
/// How many bytes of copies are kept; the oldest go.
const KEPT_BYTES: u64 = 256 << 20;
/// How many messages' troubles are remembered.
const TROUBLES: usize = 200;
/// What can be drawn anew.
const ACCEPT: &str = "image/webp,image/png,image/jpeg,image/gif;q=0.9,*/*;q=0.5";

/// How the reason begins where Tor is missing.
pub const NO_TOR: &str = "Pictures are fetched through Tor only, and Tor is not there";

/// What is being fetched now, and what went wrong last.
pub struct Fetching {
    /// One fetch of a message's pictures at a time.
    turns: Mutex<HashMap<MessageNumber, Arc<tokio::sync::Mutex<()>>>>,
    troubles: Mutex<VecDeque<(MessageNumber, String)>>,
    arrived: Notify,
    slots: Semaphore,
    stopped: CancellationToken,
}

impl Default for Fetching {
    fn default() -> Self {
        Self {
            turns: Mutex::default(),
            troubles: Mutex::default(),
            arrived: Notify::new(),
            slots: Semaphore::new(AT_A_TIME),
            stopped: CancellationToken::new(),
        }
    }
}

/// While this lives, pictures of its message are on their way.
struct Turn {
    app: Arc<App>,
    message: MessageNumber,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Turn {
    fn new(app: &Arc<App>, message: MessageNumber) -> Self {
        let turn = Arc::clone(app.remote.turns().entry(message).or_default());
        Self { app: Arc::clone(app), message, turn }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = self.app.remote.turns();
        // The list's own hold and this one: nobody else fetches for this message.
        if Arc::strong_count(&self.turn) <= 2 {
            turns.remove(&self.message);
        }
        drop(turns);
        self.app.remote.arrived.notify_waiters();
    }
}

impl Fetching {
    fn turns(&self) -> MutexGuard<'_, HashMap<MessageNumber, Arc<tokio::sync::Mutex<()>>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, message: MessageNumber, trouble: Option<String>) {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.retain(|(of, _)| *of != message);
        if let Some(trouble) = trouble {
            troubles.push_back((message, trouble));
            if troubles.len() > TROUBLES {
                troubles.pop_front();
            }
        }
    }

    /// Nothing more is fetched: the store is being closed.
    pub(in crate::engine) fn stop(&self) {
        self.stopped.cancel();
    }
}

/// Looks at a message's HTML as the page does, and gives the addresses of the pictures that may be fetched, each once,
/// in the order in which they stand. What only tracks is not among them.
#[must_use]
pub fn survey(source: &str) -> (Sanitised, Vec<String>) {
    let wanted = RefCell::new(Vec::new());
    let note = |address: &str| {
        let mut wanted = wanted.borrow_mut();
        if wanted.len() < MOST && !wanted.iter().any(|known| known == address) {
            wanted.push(address.to_owned());
        }
        None
    };
    let link = |url: &str| Some(url.to_owned());
    let options = Options {
        remote: Remote::Fetched(&note),
        cid: &|_| None,
        link: &link,
        fold_quotes: true,
        dark: true,
    };
    let look = html::sanitise(source, &options);
    (look, wanted.into_inner())
}

/// The same for an opened message, where that keeps a processor busy nobody waits for. Encrypted mail wants nothing.
///
/// # Errors
/// When something breaks.
pub async fn wanted(opened: &Opened) -> Result<Vec<String>, Failure> {
    if opened.asks_for_nothing() {
        return Ok(Vec::new());
    }
    let Some(source) = opened.message.html().map(str::to_owned) else { return Ok(Vec::new()) };
    blocking(move || Ok::<_, Failure>(survey(&source).1)).await
}

/// Whether the sender's pictures are always fetched, and this message is one for which that holds: not encrypted, and
/// not in spam, where names are borrowed.
///
/// # Errors
/// When the store fails.
pub async fn always(app: &App, opened: &Opened) -> Result<bool, Failure> {
    if opened.asks_for_nothing() || settings::get(app, "remote-images").await? == "never" {
        return Ok(false);
    }
    let spam = tags::bitmap(&mut *app.reader.get().await?, "spam").await?;
    Ok(!spam.contains(opened.row.number.0) && senders::of_message(app, opened).await?.pictures)
}

/// What is known of a message's pictures: for each address (as [`App::picture`] gives it) whether there is a copy.
///
/// # Errors
/// When the store fails.
pub async fn known(app: &App, message: MessageNumber) -> Result<HashMap<i64, bool>, Failure> {
    Ok(pictures::of_message(&mut *app.reader.get().await?, message).await?)
}

/// Why some pictures of a message could not be fetched last time, in a sentence.
#[must_use]
pub fn trouble(app: &App, message: MessageNumber) -> Option<String> {
    let troubles = app.remote.troubles.lock().unwrap_or_else(PoisonError::into_inner);
    troubles.iter().find(|(of, _)| *of == message).map(|(_, words)| words.clone())
}

/// Fetches pictures of a message in the background. [`picture`] waits for them.
pub fn begin(app: &Arc<App>, message: MessageNumber, addresses: Vec<String>) {
    let turn = Turn::new(app, message);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        if let Err(error) = fetch(&app, message, addresses).await {
            tracing::debug!(%error, "Pictures were not fetched");
        }
        drop(turn);
    });
}

/// Fetches what is not known yet of a message's pictures, and waits. What goes wrong with a single one is remembered
/// for [`trouble`] and keeps none of the others.
///
/// # Errors
/// Refused, where the owner wants no pictures at all; otherwise when the store fails.
pub async fn fetch(app: &Arc<App>, message: MessageNumber, addresses: Vec<String>) -> Result<(), Failure> {
    if settings::get(app, "remote-images").await? == "never" {
        return Err(Failure::refused(
            "Pictures from other servers are switched off; switch them on in the settings first",
        ));
    }
    let turn = Turn::new(app, message);
    let held = turn.turn.lock().await;
    let known = known(app, message).await?;
    let missing: Vec<String> = addresses
        .into_iter()
        .take(MOST)
        .filter(|address| !known.contains_key(&app.picture(address)))
        .collect();
    let round = Round { app, message, bytes: AtomicUsize::new(0), gone: CancellationToken::new() };
    let trouble: Mutex<Option<String>> = Mutex::default();
    let work = stream::iter(missing).for_each_concurrent(AT_A_TIME, |address| {
        let (round, trouble) = (&round, &trouble);
        async move {
            if let Err(words) = round.one(&address).await {
                trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(words);
            }
            app.remote.arrived.notify_waiters();
        }
    });
    let late = tokio::select! {
        done = tokio::time::timeout(WHOLE_LIMIT, work) => done.is_err(),
        () = app.remote.stopped.cancelled() => false,
    };
    let mut trouble = trouble.into_inner().unwrap_or_else(PoisonError::into_inner);
    if late {
        trouble.get_or_insert_with(|| "It took too long.".to_owned());
    }
    app.remote.note(message, trouble);
    drop(held);
    Ok(())
}

/// One fetch of the pictures of one message.
struct Round<'a> {
    app: &'a Arc<App>,
    message: MessageNumber,
    bytes: AtomicUsize,
    /// The way out is not there: what would be tried next would fail alike.
    gone: CancellationToken,
}

impl Round<'_> {
    /// Fetches one picture. What a server answered is kept, be it that there is none; what never reached it is not.
    async fn one(&self, address: &str) -> Result<(), String> {
        let app = self.app;
        let _slot = app.remote.slots.acquire().await.map_err(|e| e.to_string())?;
        if self.gone.is_cancelled() {
            return Ok(());
        }
        let key = app.picture(address);
        let keep_none = || async { self.keep(key, None).await.map_err(|failure| failure.words) };
        let Ok(web) = WebAddress::from_mail(address) else { return keep_none().await };
        if self.bytes.load(Ordering::Relaxed) >= MOST_BYTES {
            return Err("The pictures of this message are too large to fetch them all.".into());
        }
        let ask = Ask {
            purpose: Purpose::RemoteImage,
            address: &web,
            accept: ACCEPT,
            circuit: None,
            limits: LIMITS,
        };
        let answer = match http::get(&app.dialer, &ask).await {
            Ok(answer) => answer,
            Err(HttpError::Dial(error)) => {
                if matches!(
                    error,
                    DialError::NoTor { .. } | DialError::Offline { .. } | DialError::Cut { .. }
                ) {
                    self.gone.cancel();
                }
                return Err(match error {
                    DialError::NoTor { why, .. } => format!("{NO_TOR}: {why}. Nothing was asked for."),
                    other => other.to_string(),
                });
            }
            Err(error @ (HttpError::TimedOut { .. } | HttpError::Garbled { .. })) => {
                return Err(error.to_string());
            }
            Err(_) => return keep_none().await,
        };
        self.bytes.fetch_add(answer.body.len(), Ordering::Relaxed);
        if answer.status >= 500 {
            return Err(format!("{} does not answer at the moment.", web.host()));
        }
        if !answer.is_success() {
            return keep_none().await;
        }
        // Drawn behind walls; what breaks its worker is no picture.
        let reports = self.app.opener.pictures(&[&answer.body], Size::Screen).await;
        let drawn = reports.first().and_then(|report| report.made.first()).cloned();
        self.keep(key, drawn).await.map_err(|failure| failure.words)
    }

    /// Seals a copy, or notes that there is none. Neither where the message was deleted or pictures were switched off
    /// meanwhile.
    async fn keep(&self, key: i64, drawn: Option<Made>) -> Result<(), Failure> {
        let app = self.app;
        let files = app.pictures.clone();
        let row = match drawn {
            None => PictureRow {
                file: String::new(),
                key: crate::crypto::secret::Key::random(),
                media_type: String::new(),
                size: 0,
            },
            Some(drawn) => {
                let written = blocking(move || files.write(&drawn.bytes)).await?;
                PictureRow {
                    file: written.file,
                    key: written.key,
                    media_type: drawn.media_type.as_str().to_owned(),
                    size: written.size,
                }
            }
        };
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let wanted = settings::read(&mut c, "remote-images").await? != "never"
            && tags::bitmap(&mut c, tags::ALL).await?.contains(self.message.0);
        if !wanted {
            app.pictures.remove(&[row.file]);
            return Ok(());
        }
        pictures::add(&mut c, self.message, key, &row).await?;
        let old = pictures::trim(&mut c, KEPT_BYTES).await?;
        commit(c).await?;
        drop(writer);
        app.pictures.remove(&old);
        Ok(())
    }
}

/// The copy of a picture, with its media type; waits for it while it is on its way.
///
/// # Errors
/// When the store fails.
pub async fn picture(
    app: &Arc<App>,
    message: MessageNumber,
    address: i64,
) -> Result<Option<(String, Vec<u8>)>, Failure> {
    let until = tokio::time::Instant::now() + WHOLE_LIMIT;
    loop {
        let arrived = app.remote.arrived.notified();
        let on_its_way = app.remote.turns().contains_key(&message);
        let found = pictures::get(&mut *app.reader.get().await?, message, address).await?;
        match found {
            Some(row) if row.file.is_empty() => return Ok(None),
            Some(row) => {
                let files = app.pictures.clone();
                let bytes = blocking(move || {
                    Ok::<_, Failure>(files.read(&row.file, &row.key).map(|b| (row.media_type, b)))
                });
                return bytes.await;
            }
            None if !on_its_way => return Ok(None),
            None => {
                if tokio::time::timeout_at(until, arrived).await.is_err() {
                    return Ok(None);
                }
            }
        }
    }
}

/// Destroys the copies that belong to messages.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn forget(app: &App, messages: &[MessageNumber]) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let files = pictures::remove(&mut c, messages).await?;
    commit(c).await?;
    drop(writer);
    app.pictures.remove(&files);
    Ok(())
}

/// Destroys all copies.
///
/// # Errors
/// When the store fails.
pub async fn clear(app: &App) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    pictures::clear(&mut c).await?;
    commit(c).await?;
    writer.checkpoint().await?;
    drop(writer);
    app.pictures.keep_only(&[])?;
    Ok(())
}

/// Removes files that no row knows: a fetch or a deletion was cut off. What cannot be tidied now is tidied next time.
pub(in crate::engine) async fn tidy(app: &App) {
    let tidied = async {
        let (files, _) = pictures::files(&mut *app.reader.get().await?).await?;
        app.pictures.keep_only(&files)?;
        Ok::<_, Failure>(())
    };
    if let Err(error) = tidied.await {
        tracing::warn!(%error, "The copies of pictures could not be tidied");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_be_shown_is_wanted_each_once_and_no_tracker() {
        let (look, wanted) = survey(
            "<body background='https://a.example/ground.png'>\
             <img src='http://b.example/1.png'><img src=' HTTP://b.example/1.png'><img srcset='//c.example/2.png 2x'>\
             <img src='http://t.example/open.gif' width=1 height=1>\
             <img src='http://t.example/hidden.gif' style='display:none'>\
             <table><tr><td width=1 height=1 background='http://t.example/cell.gif'></td></tr></table>\
             <div style='background-image: url(http://d.example/css.png)'>x</div>\
             <img src='cid:part'><img src='data:image/png;base64,AAAA'><img src='ftp://e.example/x.png'>\
             <style>p { background: url(http://f.example/sheet.png) }</style><p>y</p>",
        );
        assert_eq!(
            wanted,
            ["https://a.example/ground.png", "http://b.example/1.png", "https://c.example/2.png"]
        );
        assert_eq!((look.tracking_pixels, look.trackers), (3, vec!["t.example".to_owned()]));
        let many: String = (0..MOST + 50).map(|n| format!("<img src='http://a.example/{n}.png'>")).collect();
        assert_eq!(survey(&many).1.len(), MOST);
    }
}
