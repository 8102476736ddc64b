//! Writing mail to files in open formats: an mbox, a Maildir, or one file for each message.

use super::app::App;
use super::events::{Pace, Progress, Watcher};
use super::failure::{Failure, blocking};
use super::import::plain;
use super::search;
use crate::mail::ids::MessageNumber;
use crate::mail::mbox;
use crate::storage::database::messages;
use crate::storage::database::tags;
use crate::storage::packs::PackError;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One file, mboxrd.
    Mbox,
    /// A Maildir.
    Maildir,
    /// A directory with a file for each message.
    Eml,
}

/// What was written.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exported {
    /// Messages.
    pub messages: u64,
    /// Their raw bytes.
    pub bytes: u64,
    /// Messages that could not be read and are missing.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// What failed, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// So many failures are named.
const NAMED_FAILURES: usize = 20;

enum Target {
    Mbox(BufWriter<File>),
    Directory(std::path::PathBuf, bool),
}

/// Writes all messages that a query finds, oldest first. What lies at `path` already is never overwritten.
///
/// # Errors
/// Usage, for a query that cannot be understood; otherwise when the disk fails or `path` exists.
pub async fn export(
    app: &Arc<App>,
    path: &Path,
    format: Format,
    query: &str,
    watcher: &dyn Watcher,
) -> Result<Exported, Failure> {
    let query = search::understand(app, query)?;
    let set = search::matching(app, &query).await?;
    let mut target = begin(path, format)?;
    let mut done = Exported::default();
    let pace = Pace::new(Duration::from_millis(200));
    let numbers = messages::by_date(&mut *app.reader.get().await?, &set, false, 0, usize::MAX).await?;
    for some in numbers.chunks(200) {
        let (rows, tags) = {
            let mut reader = app.reader.get().await?;
            (messages::by_numbers(&mut reader, some).await?, tags::of_messages(&mut reader, some).await?)
        };
        let packs = Arc::clone(&app.packs);
        let (back, written) = blocking(move || {
            let mut written = Exported::default();
            for row in rows {
                let raw = match packs.read(row.place) {
                    Ok(record) => record.raw,
                    // One message that is damaged does not keep the others.
                    Err(
                        error @ (PackError::Damaged(_) | PackError::Missing(_) | PackError::Destroyed(_)),
                    ) => {
                        written.failed += 1;
                        written.failures.push(format!("The message {} is missing: {error}", row.id));
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                };
                let tags = tags.get(&row.number).map_or(&[][..], Vec::as_slice);
                write_one(&mut target, &raw, row.received_at, row.number, &row.id.to_string(), tags)?;
                written.messages += 1;
                written.bytes += raw.len() as u64;
            }
            Ok::<_, Failure>((target, written))
        })
        .await?;
        target = back;
        done.messages += written.messages;
        done.bytes += written.bytes;
        done.failed += written.failed;
        let room = NAMED_FAILURES.saturating_sub(done.failures.len());
        done.failures.extend(written.failures.into_iter().take(room));
        if pace.due() {
            watcher.progress(Progress {
                deed: "Exporting".into(),
                done: done.messages,
                total: numbers.len() as u64,
                unit: "messages".into(),
                words: String::new(),
            });
        }
        if watcher.stopped() {
            break;
        }
    }
    if let Target::Mbox(file) = target {
        let file = file.into_inner().map_err(|e| cannot(path, e.error()))?;
        file.sync_all().map_err(|e| cannot(path, &e))?;
    }
    Ok(done)
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    let why =
        if error.kind() == std::io::ErrorKind::AlreadyExists { "it exists already" } else { plain(error) };
    Failure::failed(format!("Cannot write {}: {why}", path.display()))
}

fn begin(path: &Path, format: Format) -> Result<Target, Failure> {
    let fail = |e: std::io::Error| cannot(path, &e);
    match format {
        Format::Mbox => Ok(Target::Mbox(BufWriter::new(File::create_new(path).map_err(fail)?))),
        Format::Eml => {
            fs::create_dir(path).map_err(fail)?;
            Ok(Target::Directory(path.to_owned(), false))
        }
        Format::Maildir => {
            fs::create_dir(path).map_err(fail)?;
            for name in ["cur", "new", "tmp"] {
                fs::create_dir(path.join(name)).map_err(fail)?;
            }
            Ok(Target::Directory(path.to_owned(), true))
        }
    }
}

fn write_one(
    target: &mut Target,
    raw: &[u8],
    received_at: i64,
    number: MessageNumber,
    id: &str,
    tags: &[String],
) -> Result<(), Failure> {
    match target {
        Target::Mbox(file) => mbox::write_entry(file, raw, received_at)
            .map_err(|e| Failure::failed(format!("Cannot write the mbox: {}", plain(&e)))),
        Target::Directory(directory, maildir) => {
            let has = |tag: &str| tags.iter().any(|t| t == tag);
            let path = if *maildir {
                let flags: String = [('F', has("starred")), ('R', has("replied")), ('S', !has("unread"))]
                    .into_iter()
                    .filter_map(|(flag, on)| on.then_some(flag))
                    .collect();
                directory.join("cur").join(format!("{received_at}.{number}.mailkeep:2,{flags}"))
            } else {
                directory.join(format!("{id}.eml"))
            };
            let mut file = File::create_new(&path).map_err(|e| cannot(&path, &e))?;
            file.write_all(raw).map_err(|e| cannot(&path, &e))
        }
    }
}
