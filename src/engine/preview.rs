//! Attachments opened without being opened: what hostile files show, made by workers behind walls and kept in memory for a
//! while, so that looking again starts no process.

use super::app::App;
use super::failure::{Failure, blocking};
use super::read::Opened;
use super::search;
use crate::mail::address::canonical;
use crate::mail::attachment::{self, SenderStanding, Verdict};
use crate::mail::part::{Part, Risk};
use crate::worker::{Job, Report, Size, Summary, Workers};
use lru::LruCache;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How much of what was made is kept, in bytes.
const KEPT: usize = 96 << 20;
/// How many pictures are drawn by one worker, and of how many bytes together.
const BATCH: (usize, usize) = (60, 48 << 20);
/// How many workers one batch may break before the rest is given up.
const TRIES: usize = 6;

/// What makes previews and copies.
pub struct Opener {
    workers: Workers,
    shelf: Mutex<Shelf>,
    /// Who asks for what another one is having made waits for it.
    gates: [tokio::sync::Mutex<()>; 8],
}

type Mark = [u8; 32];

struct Shelf {
    reports: LruCache<Mark, Arc<Report>>,
    bytes: usize,
}

impl Default for Opener {
    fn default() -> Self {
        Self::with(Workers::default())
    }
}

impl Opener {
    /// An opener with nothing kept yet.
    #[must_use]
    pub fn with(workers: Workers) -> Self {
        Self {
            workers,
            shelf: Mutex::new(Shelf { reports: LruCache::unbounded(), bytes: 0 }),
            gates: Default::default(),
        }
    }
}

fn weight(report: &Report) -> usize {
    let words: usize = report.summary.notes.iter().map(String::len).sum();
    // What was read of a file is words too; a generous guess keeps it from being counted as nothing.
    report.made.iter().map(|made| made.bytes.len() + made.text.len()).sum::<usize>() + words + (64 << 10)
}

impl Opener {
    fn kept(&self, mark: &Mark) -> Option<Arc<Report>> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.reports.get(mark).cloned()
    }

    fn keep(&self, mark: Mark, report: Report) -> Arc<Report> {
        let report = Arc::new(report);
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.bytes += weight(&report);
        if let Some((_, old)) = shelf.reports.push(mark, Arc::clone(&report)) {
            shelf.bytes = shelf.bytes.saturating_sub(weight(&old));
        }
        while shelf.bytes > KEPT {
            let Some((_, old)) = shelf.reports.pop_lru() else { break };
            shelf.bytes = shelf.bytes.saturating_sub(weight(&old));
        }
        report
    }

    fn gate(&self, mark: &Mark) -> &tokio::sync::Mutex<()> {
        let [first, others @ ..] = &self.gates;
        let at = mark.first().map_or(0, |byte| usize::from(*byte)) % (others.len() + 1);
        others.get(at).unwrap_or(first)
    }

    /// What comes of a job on one file. What went wrong is in the report.
    pub async fn run(&self, job: &Job, input: &[u8]) -> Arc<Report> {
        let mark = mark(job, input);
        if let Some(report) = self.kept(&mark) {
            return report;
        }
        let _turn = self.gate(&mark).lock().await;
        if let Some(report) = self.kept(&mark) {
            return report;
        }
        let report = self.workers.run(job, &[input]).await;
        self.keep(mark, report)
    }

    /// Pictures drawn anew, in the order of the inputs; as few workers as can be. A picture that breaks its worker takes no
    /// other along.
    pub async fn pictures(&self, inputs: &[&[u8]], size: Size) -> Vec<Arc<Report>> {
        let job = Job::Pictures(size);
        let marks: Vec<Mark> = inputs.iter().map(|input| mark(&job, input)).collect();
        let whole: Mark = Sha256::digest(marks.concat()).into();
        let _turn = self.gate(&whole).lock().await;
        let mut done: HashMap<usize, Arc<Report>> = HashMap::new();
        for (at, mark) in marks.iter().enumerate() {
            if let Some(report) = self.kept(mark) {
                done.insert(at, report);
            }
        }
        for _ in 0..(TRIES + inputs.len() / BATCH.0) {
            let mut batch = Vec::new();
            let mut bytes = 0;
            for (at, input) in inputs.iter().enumerate().filter(|(at, _)| !done.contains_key(at)) {
                bytes += input.len();
                if !batch.is_empty() && (batch.len() >= BATCH.0 || bytes > BATCH.1) {
                    break;
                }
                batch.push((at, *input));
            }
            if batch.is_empty() {
                break;
            }
            let files: Vec<&[u8]> = batch.iter().map(|(_, input)| *input).collect();
            let mut report = self.workers.run(&job, &files).await;
            // Of what is missing the first is what broke the worker.
            let mut stopped = report.stopped.take();
            for (of, (at, _)) in (0_u32..).zip(&batch) {
                let mut own = Report::default();
                if let Some(place) = report.made.iter().position(|made| made.of == of) {
                    own.made.push(report.made.swap_remove(place));
                } else if let Some((_, words)) =
                    report.summary.failed.iter().find(|(failed, _)| *failed == of)
                {
                    own.summary.failed.push((0, words.clone()));
                } else if let Some(words) = stopped.take() {
                    own.stopped = Some(words);
                } else {
                    continue;
                }
                if let Some(mark) = marks.get(*at) {
                    done.insert(*at, self.keep(*mark, own));
                }
            }
        }
        let given_up = || {
            let words = "Too many pictures of this message are broken".to_owned();
            Arc::new(Report { stopped: Some(words), ..Report::default() })
        };
        (0..inputs.len()).map(|at| done.get(&at).cloned().unwrap_or_else(given_up)).collect()
    }
}

fn mark(job: &Job, input: &[u8]) -> Mark {
    let mut digest = Sha256::new();
    digest.update(serde_json::to_vec(job).unwrap_or_default());
    digest.update([0]);
    digest.update(input);
    digest.finalize().into()
}

/// Why a report holds nothing, in a sentence without a full stop; `None` where it does.
#[must_use]
pub fn trouble(report: &Report) -> Option<String> {
    let Summary { failed, found, .. } = &report.summary;
    if !report.made.is_empty() || found.is_some() {
        return None;
    }
    let first = failed.first().map(|(_, words)| words.clone());
    report.stopped.clone().or(first).or_else(|| Some("There is nothing in it that can be shown".to_owned()))
}

/// What is said about every attachment of a message, by part number.
///
/// # Errors
/// When the store fails.
pub async fn verdicts(app: &Arc<App>, opened: &Arc<Opened>) -> Result<HashMap<u32, Verdict>, Failure> {
    let looked = look_at_all(opened, SenderStanding::Known).await?;
    if looked.values().all(|verdict| verdict.risk == Risk::None) {
        return Ok(looked);
    }
    match standing(app, opened).await {
        SenderStanding::Known => Ok(looked),
        stranger => look_at_all(opened, stranger).await,
    }
}

async fn look_at_all(opened: &Arc<Opened>, sender: SenderStanding) -> Result<HashMap<u32, Verdict>, Failure> {
    let opened = Arc::clone(opened);
    blocking(move || {
        let parts = opened.message.parts.iter().filter(|part| !part.is_multipart());
        Ok::<_, Failure>(parts.map(|part| (part.n, attachment::look(part, &opened.raw, sender))).collect())
    })
    .await
}

/// How the sender of a message stands to the owner: whether there is other mail from or to the address.
async fn standing(app: &Arc<App>, opened: &Opened) -> SenderStanding {
    let Some(sender) = opened.message.from.first().map(|from| canonical(&from.address)) else {
        return SenderStanding::FirstTime;
    };
    if app.own_addresses().contains(&sender) {
        return SenderStanding::Known;
    }
    let quoted = sender.replace(['"', '\\'], "");
    // This message is one of those from the address.
    let from = search::count(app, &format!("from:\"{quoted}\"")).await.map_or(0, |(_, total)| total);
    if from > 1 {
        return SenderStanding::Known;
    }
    let to = search::count(app, &format!("in:sent with:\"{quoted}\"")).await.map_or(0, |(_, total)| total);
    if to > 0 { SenderStanding::Known } else { SenderStanding::FirstTime }
}

/// The pictures of a message that its HTML shows within itself, decoded: part number and bytes.
#[must_use]
pub fn inline_pictures(opened: &Opened) -> Vec<(u32, Vec<u8>)> {
    let is_picture = |part: &&Part| part.content_id.is_some() && is_drawable(&part.content_type);
    let parts = opened.message.parts.iter().filter(is_picture).take(200);
    parts.map(|part| (part.n, part.decoded(&opened.raw).into_owned())).collect()
}

/// Whether pictures of a media type can be drawn.
#[must_use]
pub fn is_drawable(media_type: &str) -> bool {
    matches!(media_type, "image/png" | "image/jpeg" | "image/jpg" | "image/gif" | "image/webp" | "image/bmp")
}
