//! The parent's side: starts workers, at most two at a time, bounds what each may take and give, and turns every failure
//! into one sentence.

use super::WORD;
use super::frame::{END, INPUT_MAX, INPUTS_MAX, MADE, NO_WALLS, WORDS_MAX};
use super::job::{Job, Made, Summary};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;

/// Processor time of one worker, in seconds.
pub(super) const SECONDS: u64 = 30;
/// Address space of one worker, in bytes.
pub(super) const MEMORY: u64 = 1 << 30;
/// What one worker may make, in bytes.
pub(super) const OUTPUT: usize = 96 << 20;
/// How long one worker may take in all, in seconds: a machine may be busy.
const WALL: u64 = 90;
/// How many workers there are at a time.
const AT_ONCE: usize = 2;

/// The workers.
pub struct Workers {
    program: PathBuf,
    seats: Semaphore,
}

/// What came of a job.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was made, in order.
    pub made: Vec<Made>,
    /// What was said at the end.
    pub summary: Summary,
    /// Why it ended before its end, in a sentence without a full stop.
    pub stopped: Option<String>,
}

impl Default for Workers {
    fn default() -> Self {
        // Not by its path: an update may have put another program there.
        Self { program: PathBuf::from("/proc/self/exe"), seats: Semaphore::new(AT_ONCE) }
    }
}

impl Workers {
    /// Workers that another program is run as: one that counts its runs, say.
    #[must_use]
    pub fn running(program: PathBuf) -> Self {
        Self { program, ..Self::default() }
    }

    /// Does a job. Never fails: what went wrong is in the report.
    pub async fn run(&self, job: &Job, inputs: &[&[u8]]) -> Report {
        let mut report = Report::default();
        if inputs.iter().map(|input| input.len()).sum::<usize>() > INPUT_MAX || inputs.len() > INPUTS_MAX {
            report.stopped = Some("It is too large to be opened here".to_owned());
            return report;
        }
        let Ok(_seat) = self.seats.acquire().await else {
            report.stopped = Some("Mailkeep is stopping".to_owned());
            return report;
        };
        let wall = Duration::from_secs(WALL);
        match tokio::time::timeout(wall, self.work(job, inputs, &mut report)).await {
            Ok(Ok(())) => {}
            Ok(Err(words)) => report.stopped = Some(words.to_owned()),
            Err(_) => report.stopped = Some(TOO_LONG.to_owned()),
        }
        report
    }

    async fn work(&self, job: &Job, inputs: &[&[u8]], report: &mut Report) -> Result<(), &'static str> {
        let mut child = self.start()?;
        let (Some(to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BROKEN);
        };
        let job = serde_json::to_vec(job).map_err(|_| BROKEN)?;
        // Both at once: a worker may answer before it has read all. One that ends early reads nothing more.
        let (heard, _told) = tokio::join!(hear(&mut from, report), tell(to, &job, inputs));
        if let Err(words) = heard {
            // It may still be running: what broke is what it sent.
            drop(child.start_kill());
            let status = child.wait().await.map_err(|_| BROKEN)?;
            return Err(words.unwrap_or_else(|| ended(status)));
        }
        drop(child.wait().await);
        Ok(())
    }

    fn start(&self) -> Result<Child, &'static str> {
        Command::new(&self.program)
            .arg0("mailkeep")
            .args([WORD.to_owned(), SECONDS.to_string(), MEMORY.to_string()])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|_| "The process that opens files cannot be started on this machine")
    }
}

const BROKEN: &str = "The process that opens files did not answer as it should";
const TOO_LONG: &str = "It takes too long to open";

async fn tell(mut to: ChildStdin, job: &[u8], inputs: &[&[u8]]) -> std::io::Result<()> {
    let count = u32::try_from(inputs.len()).unwrap_or(0).to_le_bytes();
    for piece in [job, &count].into_iter().chain(inputs.iter().copied()) {
        to.write_all(&u32::try_from(piece.len()).unwrap_or(0).to_le_bytes()).await?;
        to.write_all(piece).await?;
    }
    to.shutdown().await
}

/// Hears the worker out. The error is a sentence, or none where only its end says what happened.
async fn hear(from: &mut ChildStdout, report: &mut Report) -> Result<(), Option<&'static str>> {
    let mut room = OUTPUT;
    loop {
        let mut letter = [0];
        from.read_exact(&mut letter).await.map_err(|_| None)?;
        match letter {
            [MADE] => {
                let words = take(from, WORDS_MAX).await?;
                let mut made: Made = serde_json::from_slice(&words).map_err(|_| Some(BROKEN))?;
                made.bytes = take(from, room).await?;
                room = room.saturating_sub(made.bytes.len() + words.len());
                // What was broken into must not hand over something else than it says.
                if !made.media_type.fits(&made.bytes) {
                    return Err(Some(BROKEN));
                }
                report.made.push(made);
            }
            [END] => {
                let words = take(from, WORDS_MAX).await?;
                report.summary = serde_json::from_slice(&words).map_err(|_| Some(BROKEN))?;
                return Ok(());
            }
            [NO_WALLS] => {
                return Err(Some(
                    "This machine cannot shut the process that opens files off from the rest (seccomp is \
                     missing), so nothing is opened",
                ));
            }
            _ => return Err(Some(BROKEN)),
        }
    }
}

async fn take(from: &mut ChildStdout, most: usize) -> Result<Vec<u8>, Option<&'static str>> {
    let length = from.read_u32_le().await.map_err(|_| None)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > most {
        return Err(Some("What would come out of it is too large"));
    }
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await.map_err(|_| None)?;
    if bytes.len() == length { Ok(bytes) } else { Err(None) }
}

/// Why a worker ended without a word.
fn ended(status: ExitStatus) -> &'static str {
    match status.signal() {
        Some(libc::SIGSYS) => {
            "It made the process that opens files try something forbidden, so that was stopped"
        }
        Some(libc::SIGABRT) => "It takes too much memory to open",
        Some(libc::SIGXCPU) => TOO_LONG,
        Some(libc::SIGSEGV) => "It is nested too deeply to open",
        _ => "It is built in a way that Mailkeep cannot read",
    }
}
