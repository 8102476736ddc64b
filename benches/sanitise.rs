//! How long the sanitiser takes, and how much memory, beside `ammonia` alone on the same HTML in the same run:
//! `cargo bench --bench sanitise`. `MAILKEEP_CORPORA` names a folder with more mail: its HTML files, the HTML of its
//! messages, and the payloads of its JSON files; without it the sample mail is what is measured.
//!
//! Each works in a process of its own, so that the peak memory is its own; the best of five rounds counts.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use mailkeep::mail::html::{Options, Remote, sanitise, visible_text};
use mailkeep::mail::{demo, message};

/// What there is to measure: what it is called, and what it does with each document.
const WORKERS: [(&str, fn(&str) -> usize); 4] =
    [("nothing", str::len), ("ammonia", ammonia), ("sanitise", whole), ("visible_text", text)];
const ROUNDS: usize = 5;

fn ammonia(html: &str) -> usize {
    ammonia::clean(html).len()
}

fn whole(html: &str) -> usize {
    let options = Options {
        remote: Remote::Blocked,
        cid: &|_| None,
        link: &|url| Some(url.to_owned()),
        fold_quotes: true,
        dark: true,
    };
    sanitise(html, &options).document.len()
}

fn text(html: &str) -> usize {
    visible_text(html).text.len()
}

fn main() {
    let wanted = std::env::var("MAILKEEP_BENCH_WORKER").unwrap_or_default();
    if let Some((_, work)) = WORKERS.iter().find(|(name, _)| *name == wanted) {
        return measure(*work);
    }
    let documents = documents();
    let bytes: usize = documents.iter().map(String::len).sum();
    println!("{} documents, {:.1} MB", documents.len(), megabytes(bytes));
    drop(documents);
    let found: Vec<(&str, f64, f64)> = WORKERS
        .iter()
        .filter_map(|(name, _)| {
            let (seconds, peak) = child(name)?;
            Some((*name, seconds, peak))
        })
        .collect();
    let of = |wanted: &str| found.iter().find(|(name, ..)| *name == wanted).copied();
    let (Some((_, yardstick, _)), Some((_, _, idle))) = (of("ammonia"), of("nothing")) else {
        println!("the yardstick did not run");
        std::process::exit(1);
    };
    println!("{:<14}{:>10}{:>10}{:>16}{:>18}", "", "seconds", "MB/s", "of ammonia's", "peak memory, MB");
    for (name, seconds, peak) in found.iter().filter(|(name, ..)| *name != "nothing") {
        let (rate, ratio) = (megabytes(bytes) / seconds, seconds / yardstick);
        println!("{name:<14}{seconds:>10.3}{rate:>10.1}{ratio:>14.2} x{:>18.1}", peak - idle);
    }
}

/// Runs one worker in a process of its own: its best time in seconds, and its peak memory in MB.
fn child(name: &str) -> Option<(f64, f64)> {
    let own = std::env::current_exe().ok()?;
    let output = Command::new(own).env("MAILKEEP_BENCH_WORKER", name).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let (seconds, peak) = said.trim().split_once(' ')?;
    Some((seconds.parse().ok()?, peak.parse().ok()?))
}

fn measure(work: fn(&str) -> usize) {
    let documents = documents();
    let round = || {
        let start = Instant::now();
        for html in &documents {
            black_box(work(black_box(html)));
        }
        start.elapsed().as_secs_f64()
    };
    let best = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: f64 = peak.and_then(|peak| peak.trim().parse().ok()).unwrap_or(0.0);
    println!("{best} {}", peak / 1024.0);
}

fn megabytes(bytes: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a corpus has fewer bytes than that")]
    let bytes = bytes as f64;
    bytes / 1_000_000.0
}

/// All there is to clean.
fn documents() -> Vec<String> {
    let mut documents = Vec::new();
    match std::env::var_os("MAILKEEP_CORPORA") {
        Some(folder) => {
            let mut paths = Vec::new();
            files(Path::new(&folder), &mut paths);
            paths.sort();
            for path in paths {
                read(&path, &mut documents);
            }
        }
        None => {
            for mail in demo::messages(1_700_000_000) {
                documents.extend(message::parse(&mail.raw).html().map(str::to_owned));
            }
        }
    }
    documents
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

fn read(path: &Path, into: &mut Vec<String>) {
    // Whole archives of lists are plain text.
    if fs::metadata(path).is_ok_and(|about| about.len() > 4_000_000) {
        return;
    }
    let Ok(bytes) = fs::read(path) else { return };
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => into.push(String::from_utf8_lossy(&bytes).into_owned()),
        Some("json") => {
            let cases: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let payload = |case: &serde_json::Value| Some(case.get("payload")?.as_str()?.to_owned());
            into.extend(cases.as_array().into_iter().flatten().filter_map(payload));
        }
        Some("xz" | "gz" | "png" | "tokens" | "asc") => {}
        _ => into.extend(message::parse(&bytes).html().map(str::to_owned)),
    }
}
