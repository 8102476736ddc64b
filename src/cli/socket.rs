//! The socket in the data directory (mode 0600): whoever has the store open answers on it, so that every command works
//! while a server, or another command, is running.
//!
//! One question a connection: a line of JSON with passphrase and question; back come lines of JSON, the last of them an
//! answer or a failure. The passphrase is proved each time, and stretched only where it was not proved before.

use crate::crypto::secret::SecretText;
use crate::engine::events::{Progress, Watcher};
use crate::engine::failure::Failure;
use crate::engine::recovery;
use crate::engine::request::{Answer, Request, perform};
use crate::engine::vault::Vault;
use crate::storage::data_dir::DataDir;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

/// The longest question, in bytes: a message of 50 MB and its clothes.
const LONGEST: u64 = 100 << 20;

/// What is asked, and with which right.
#[derive(Serialize, Deserialize)]
struct Question {
    passphrase: String,
    ask: Ask,
}

/// What can be asked over the socket.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ask {
    /// Something of the open store.
    Store(Box<Request>),
    /// Lock the server.
    Lock,
    /// Change the passphrase.
    ChangePassphrase {
        /// The new one.
        new: String,
    },
    /// Make a recovery key.
    MakeRecoveryKey,
}

/// What comes back, line by line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The question was understood and is worked on.
    Taken,
    Progress(Progress),
    Answer(Value),
    /// So many bytes follow the line.
    Bytes {
        count: u64,
        media_type: String,
        name: String,
    },
    Failure(Failure),
}

/// A watcher at the other end of the socket.
struct Remote {
    lines: mpsc::UnboundedSender<Progress>,
    gone: AtomicBool,
}

impl Watcher for Remote {
    fn progress(&self, progress: Progress) {
        if self.lines.send(progress).is_err() {
            self.gone.store(true, Ordering::Relaxed);
        }
    }

    fn stopped(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// Answers on the socket until dropped.
pub(super) struct Host {
    task: tokio::task::JoinHandle<()>,
    path: std::path::PathBuf,
    guests: Arc<AtomicUsize>,
}

impl Host {
    /// Begins to answer. The data directory's lock is held, so a socket that is there is left from a killed process.
    pub(super) fn begin(vault: Arc<Vault>) -> Result<Self, Failure> {
        let data = DataDir::open(vault.path())?;
        let path = data.socket();
        let cannot = |e: std::io::Error| {
            Failure::failed(format!(
                "Cannot open the socket in {}: {}",
                data.root().display(),
                crate::engine::import::plain(&e)
            ))
        };
        if path.exists() {
            std::fs::remove_file(&path).map_err(cannot)?;
        }
        let listener = UnixListener::bind(&path).map_err(cannot)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(cannot)?;
        let guests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&guests);
        let own = rustix::process::geteuid().as_raw();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let uid = stream.peer_cred().map(|c| c.uid());
                if !uid.is_ok_and(|uid| uid == own || uid == 0) {
                    tracing::warn!("Another user knocked at the socket and was turned away");
                    continue;
                }
                let (vault, counter) = (Arc::clone(&vault), Arc::clone(&counter));
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    if let Err(error) = answer(&vault, stream).await {
                        tracing::debug!(%error, "A guest at the socket went away");
                    }
                    counter.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Self { task, path, guests })
    }

    /// Ends: no more questions are taken, those that were are answered.
    pub(super) async fn end(self) {
        self.task.abort();
        // It may be letting somebody in at this very moment: whoever is in counts.
        drop(self.task.await);
        drop(std::fs::remove_file(&self.path));
        while self.guests.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

async fn answer(vault: &Arc<Vault>, stream: UnixStream) -> std::io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut reader = BufReader::new(reading);
    let mut line = zeroize::Zeroizing::new(Vec::new());
    (&mut reader).take(LONGEST).read_until(b'\n', &mut line).await?;
    let Ok(question) = serde_json::from_slice::<Question>(&line) else {
        return send(
            &mut writing,
            &Line::Failure(Failure::usage(
                "That question cannot be understood; is it the same version of Mailkeep?",
            )),
        )
        .await;
    };
    send(&mut writing, &Line::Taken).await?;
    let (lines, mut progress) = mpsc::unbounded_channel();
    let remote = Remote { lines, gone: AtomicBool::new(false) };
    let mut work = std::pin::pin!(respond(vault, question, &remote));
    let mut byte = [0; 1];
    let mut listening = true;
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            Some(progress) = progress.recv() => {
                if send(&mut writing, &Line::Progress(progress)).await.is_err() {
                    remote.gone.store(true, Ordering::Relaxed);
                }
            }
            read = reader.read(&mut byte), if listening => {
                // The asker went away (Ctrl-C): long work ends at its next good place.
                listening = false;
                if read.unwrap_or(0) == 0 {
                    remote.gone.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    match outcome {
        Ok(Answer::Json(value)) => send(&mut writing, &Line::Answer(value)).await,
        Ok(Answer::Bytes { bytes, media_type, name }) => {
            send(&mut writing, &Line::Bytes { count: bytes.len() as u64, media_type, name }).await?;
            writing.write_all(&bytes).await?;
            writing.flush().await
        }
        Err(failure) => send(&mut writing, &Line::Failure(failure)).await,
    }
}

async fn send(to: &mut (impl tokio::io::AsyncWrite + Unpin), line: &Line) -> std::io::Result<()> {
    let mut bytes = serde_json::to_vec(line).map_err(std::io::Error::other)?;
    bytes.push(b'\n');
    to.write_all(&bytes).await?;
    to.flush().await
}

async fn respond(vault: &Arc<Vault>, question: Question, watcher: &Remote) -> Result<Answer, Failure> {
    let passphrase = SecretText::new(question.passphrase);
    match question.ask {
        Ask::Lock => {
            vault.lock().await;
            Ok(Answer::Json(serde_json::json!({"data": vault.path()})))
        }
        Ask::ChangePassphrase { new } => {
            vault.change_passphrase(&passphrase, &SecretText::new(new)).await?;
            Ok(Answer::Json(serde_json::json!({"data": vault.path()})))
        }
        Ask::MakeRecoveryKey => {
            let key = recovery::make(vault, &passphrase).await?;
            Ok(Answer::Json(serde_json::json!({"recovery_key": key.to_text().expose()})))
        }
        Ask::Store(request) => {
            if let Some(app) = vault.app() {
                vault.prove(&passphrase).await?;
                return perform(&app, *request, watcher).await;
            }
            // Locked: opened for this call alone. Nothing is started in the background.
            let aside = vault.open_aside(&passphrase).await?;
            let outcome = perform(&aside.app, *request, watcher).await;
            aside.close().await;
            outcome
        }
    }
}

/// What became of asking.
pub(super) enum Asked {
    /// Nobody answers on the socket.
    Nobody,
    /// Somebody answered.
    Answered(Result<Answer, Failure>),
}

/// Asks whoever has the store open.
pub(super) async fn ask(
    path: &Path,
    passphrase: &SecretText,
    ask: Ask,
    watcher: &(dyn Watcher + Sync),
) -> Result<Asked, Failure> {
    let Ok(data) = DataDir::open(path) else { return Ok(Asked::Nobody) };
    let Ok(stream) = UnixStream::connect(data.socket()).await else { return Ok(Asked::Nobody) };
    let lost = |_| {
        Failure::failed(
            "The running server went away before it answered; look whether it was done, then try again",
        )
    };
    let (reading, mut writing) = stream.into_split();
    let question = Question { passphrase: passphrase.expose().to_owned(), ask };
    let mut line =
        zeroize::Zeroizing::new(serde_json::to_vec(&question).map_err(|e| Failure::failed(e.to_string()))?);
    line.push(b'\n');
    // A host that ends leaves those unanswered whom it had not let in yet: for them there is nobody, and nothing was done.
    if writing.write_all(&line).await.is_err() {
        return Ok(Asked::Nobody);
    }
    let mut taken = false;
    let mut reader = BufReader::new(reading);
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
    let mut stopping = false;
    let mut writing = Some(writing);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        loop {
            tokio::select! {
                read = reader.read_until(b'\n', &mut bytes) => {
                    let read = read.map_err(lost);
                    if !taken && read.as_ref().map_or(0, |read| *read) == 0 {
                        return Ok(Asked::Nobody);
                    }
                    if read? == 0 {
                        return Ok(Asked::Answered(Err(lost(std::io::ErrorKind::UnexpectedEof.into()))));
                    }
                    break;
                }
                _ = tick.tick(), if !stopping && watcher.stopped() => {
                    // Closing our end asks the server to stop; what it did so far still comes back.
                    stopping = true;
                    writing = None;
                }
            }
        }
        let outcome = match serde_json::from_slice::<Line>(&bytes) {
            Ok(Line::Taken) => {
                taken = true;
                continue;
            }
            Ok(Line::Progress(progress)) => {
                watcher.progress(progress);
                continue;
            }
            Ok(Line::Answer(value)) => Ok(Answer::Json(value)),
            Ok(Line::Failure(failure)) => Err(failure),
            Ok(Line::Bytes { count, media_type, name }) => {
                let mut bytes = Vec::new();
                (&mut reader).take(count).read_to_end(&mut bytes).await.map_err(lost)?;
                Ok(Answer::Bytes { bytes, media_type, name })
            }
            Err(_) => Err(Failure::failed("The running server speaks another version; restart it")),
        };
        drop(writing);
        return Ok(Asked::Answered(outcome));
    }
}
