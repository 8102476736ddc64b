//! Taking in mail that lies in files: an mbox, a Maildir, one message in a file, or a directory of these.

use super::app::App;
use super::events::{Pace, Progress, Watcher};
use super::failure::{Failure, blocking};
use super::receive::{Incoming, Origin, Understood, keep, understand};
use crate::mail::mbox::{self, Mbox};
use crate::mail::sma::Letter;
use futures_util::StreamExt;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// A batch is full at so many messages …
const BATCH_MESSAGES: usize = 500;
/// … or so many bytes.
const BATCH_BYTES: usize = 6 << 20;
/// The largest message that is taken, in bytes.
pub const LARGEST: usize = 256 << 20;

/// What became of an import.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Imported {
    /// Messages that are new in the store.
    pub messages: u64,
    /// Messages that it had already.
    pub duplicates: u64,
    /// Files that hold no message, and messages that could not be taken.
    pub failed: u64,
    /// Raw bytes of all messages found.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// The first few failures, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

/// How many failures are named.
const NAMED_FAILURES: usize = 20;

impl Imported {
    fn fails(&mut self, failures: impl IntoIterator<Item = String>) {
        for words in failures {
            self.failed += 1;
            if self.failures.len() < NAMED_FAILURES {
                self.failures.push(words);
            }
        }
    }
}

enum Piece {
    Message(Incoming),
    Failed(String),
}

/// Imports everything below `paths`. What was imported when this is stopped or killed stays, and a second run goes on.
///
/// # Errors
/// When the store cannot be written.
pub async fn import(
    app: &Arc<App>,
    paths: &[PathBuf],
    tag: Option<&str>,
    watcher: &dyn Watcher,
) -> Result<Imported, Failure> {
    let begun = Instant::now();
    let tags: Vec<String> = tag.map(super::tags::name).transpose()?.into_iter().collect();
    let mut files = Vec::new();
    let mut done = Imported::default();
    for path in paths {
        if let Err(missing) = collect(path, &mut files) {
            done.fails([missing.words]);
        }
    }
    let total: u64 = files.iter().map(|f| f.bytes).sum();
    let read = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = mpsc::channel::<Vec<Piece>>(1);
    let (now, counter) = (app.now(), Arc::clone(&read));
    let reading = tokio::task::spawn_blocking(move || read_all(&files, &tags, now, &counter, &sender));
    let mut batches = tokio_stream(receiver)
        .map(|pieces| {
            let app = Arc::clone(app);
            blocking(move || Ok::<_, Failure>(split(&app, pieces)))
        })
        .buffered(2);
    let pace = Pace::new(Duration::from_millis(200));
    while let Some(batch) = batches.next().await {
        let (understood, bytes, failures) = batch?;
        let count = understood.len() as u64;
        let kept = keep(app, understood).await?;
        done.bytes += bytes;
        done.messages += kept.new as u64;
        done.duplicates += count - kept.new as u64;
        done.fails(failures);
        if pace.due() {
            watcher.progress(Progress {
                deed: "Importing".into(),
                done: read.load(Ordering::Relaxed),
                total,
                unit: "bytes".into(),
                words: format!("{} messages", done.messages + done.duplicates),
            });
        }
        if watcher.stopped() {
            break;
        }
    }
    drop(batches);
    reading
        .await
        .map_err(|_| Failure::failed("Reading the files broke off inside Mailkeep; please report it"))?;
    app.indexing.commit().await?;
    done.seconds = (begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    Ok(done)
}

fn tokio_stream<T>(mut receiver: mpsc::Receiver<T>) -> impl futures_util::Stream<Item = T> {
    futures_util::stream::poll_fn(move |context| receiver.poll_recv(context))
}

fn split(app: &App, pieces: Vec<Piece>) -> (Vec<Understood>, u64, Vec<String>) {
    let (mut understood, mut bytes, mut failures) = (Vec::with_capacity(pieces.len()), 0, Vec::new());
    let own = app.own_addresses();
    for piece in pieces {
        match piece {
            Piece::Message(incoming) => {
                bytes += incoming.raw.len() as u64;
                // What the owner's devices write to each other is no mail; what another person's did is passed on as it came.
                if Letter::stray(&incoming.raw).is_some_and(|account| own.contains(&account)) {
                    continue;
                }
                match understand(app, incoming) {
                    Ok(message) => understood.push(message),
                    Err(error) => failures.push(error.to_string()),
                }
            }
            Piece::Failed(words) => failures.push(words),
        }
    }
    (understood, bytes, failures)
}

struct Source {
    path: PathBuf,
    bytes: u64,
    /// Flags from a Maildir's file name; `None` outside of one.
    maildir: bool,
}

/// Gathers the files below a path, in order of their names; links are not followed.
fn collect(path: &Path, files: &mut Vec<Source>) -> Result<(), Failure> {
    let missing =
        |e: std::io::Error| Failure::failed(format!("Cannot read {}: {}", path.display(), plain(&e)));
    let metadata = fs::metadata(path).map_err(missing)?;
    if !metadata.is_dir() {
        files.push(Source { path: path.to_owned(), bytes: metadata.len(), maildir: in_maildir(path) });
        return Ok(());
    }
    let mut pending = vec![(path.to_owned(), 0)];
    while let Some((directory, depth)) = pending.pop() {
        let mut entries: Vec<_> = fs::read_dir(&directory).map_err(missing)?.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        let mut below = Vec::new();
        for entry in entries {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && depth < 64 && entry.file_name() != "tmp" {
                below.push((entry.path(), depth + 1));
            } else if kind.is_file() {
                let bytes = entry.metadata().map_or(0, |m| m.len());
                files.push(Source { maildir: in_maildir(&entry.path()), path: entry.path(), bytes });
            }
        }
        pending.extend(below.into_iter().rev());
    }
    Ok(())
}

fn in_maildir(path: &Path) -> bool {
    path.parent().is_some_and(|p| p.ends_with("cur") || p.ends_with("new"))
        && path
            .parent()
            .and_then(Path::parent)
            .is_some_and(|p| p.join("cur").is_dir() && p.join("new").is_dir())
}

/// What an operating system's error says, in words.
#[must_use]
pub fn plain(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it is not there",
        std::io::ErrorKind::PermissionDenied => "permission is denied",
        std::io::ErrorKind::IsADirectory => "it is a directory",
        std::io::ErrorKind::NotADirectory => "a part of the path is no directory",
        std::io::ErrorKind::StorageFull => "the disk is full",
        std::io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        _ => "the system reports an error",
    }
}

fn read_all(
    files: &[Source],
    tags: &[String],
    now: i64,
    counter: &AtomicU64,
    sender: &mpsc::Sender<Vec<Piece>>,
) {
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut push = |piece: Piece| -> bool {
        bytes += match &piece {
            Piece::Message(incoming) => incoming.raw.len(),
            Piece::Failed(_) => 0,
        };
        batch.push(piece);
        if batch.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
            return true;
        }
        bytes = 0;
        sender.blocking_send(std::mem::take(&mut batch)).is_ok()
    };
    for source in files {
        if !read_one(source, tags, now, counter, &mut push) {
            return;
        }
    }
    if !batch.is_empty() && sender.blocking_send(batch).is_err() {
        tracing::debug!("The import ended before its last files were read");
    }
}

/// Reads one file; false when nobody wants more.
fn read_one(
    source: &Source,
    tags: &[String],
    now: i64,
    counter: &AtomicU64,
    push: &mut dyn FnMut(Piece) -> bool,
) -> bool {
    let failed = |why: &str| Piece::Failed(format!("{} {why}", source.path.display()));
    let file = match File::open(&source.path) {
        Ok(file) => file,
        Err(error) => return push(failed(&format!("cannot be read: {}", plain(&error)))),
    };
    let modified =
        file.metadata().ok().and_then(|m| m.modified().ok()).map_or(now, |t| {
            t.duration_since(std::time::UNIX_EPOCH).map_or(now, |d| d.as_secs().cast_signed())
        });
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let is_eml = source.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("eml"));
    let is_mbox =
        !is_eml && !source.maildir && reader.fill_buf().is_ok_and(|start| start.starts_with(b"From "));
    if !is_mbox {
        let mut raw = Vec::new();
        let piece = match reader.take(LARGEST as u64 + 1).read_to_end(&mut raw) {
            Err(error) => failed(&format!("cannot be read: {}", plain(&error))),
            Ok(_) if raw.len() > LARGEST => failed("is larger than 256 MB and was not taken"),
            Ok(_) if raw.is_empty() || !(is_eml || source.maildir || mbox::looks_like_mail(&raw)) => {
                failed("holds no message")
            }
            Ok(_) => {
                let flags = maildir_tags(source);
                Piece::Message(incoming(raw, modified.min(now), tags.iter().cloned().chain(flags).collect()))
            }
        };
        counter.fetch_add(source.bytes, Ordering::Relaxed);
        return push(piece);
    }
    for entry in Mbox::new(reader, LARGEST) {
        let piece = match entry {
            Ok(entry) => {
                counter.fetch_add(entry.read_bytes, Ordering::Relaxed);
                let mut all = tags.to_vec();
                all.extend(entry.status_tags().iter().map(|t| (*t).to_owned()));
                let received_at = entry.received_at.filter(|at| *at > 0).unwrap_or(modified).min(now);
                Piece::Message(incoming(entry.raw, received_at, all))
            }
            Err(why) => failed(&format!("{why}")),
        };
        if !push(piece) {
            return false;
        }
    }
    true
}

fn incoming(raw: Vec<u8>, received_at: i64, tags: Vec<String>) -> Incoming {
    Incoming { raw, received_at, origin: Origin::Local { role: "archive".into(), tags } }
}

/// The tags that a Maildir's file name stands for: `…:2,FRS`.
fn maildir_tags(source: &Source) -> Vec<String> {
    if !source.maildir {
        return Vec::new();
    }
    let name = source.path.file_name().unwrap_or_default().to_string_lossy();
    let flags = name.rsplit_once(":2,").map_or("", |(_, flags)| flags);
    [("unread", !flags.contains('S')), ("starred", flags.contains('F')), ("replied", flags.contains('R'))]
        .into_iter()
        .filter(|(_, on)| *on)
        .map(|(tag, _)| tag.to_owned())
        .collect()
}
