//! How far long work has come, on a terminal and elsewhere; and stopping it cleanly with Ctrl-C.

use crate::engine::events::{Pace, Progress, Watcher};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A bar with rate and time left on a terminal; elsewhere plain lines, at most one in five seconds.
pub(super) struct Bar {
    bar: Option<ProgressBar>,
    pace: Pace,
    begun: Instant,
    stop: Arc<AtomicBool>,
}

impl Bar {
    /// A bar that is stopped by Ctrl-C: the first one ends the work cleanly, the second one the process.
    pub(super) fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if flag.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                drop(writeln!(std::io::stderr(), "Stopping; a second run goes on from here"));
            }
        });
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style("{pos}"));
            bar
        });
        let pace = Pace::new(Duration::from_secs(5));
        // The first line comes after five seconds, too: short work says nothing.
        pace.due();
        Self { bar, pace, begun: Instant::now(), stop }
    }

    /// Whether the owner asked to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn style(counted: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!("{{prefix}} {{bar:30}} {counted} {{msg}} {{eta}} left"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Watcher for Bar {
    fn progress(&self, progress: Progress) {
        let Progress { deed, done, total, unit, words } = progress;
        if let Some(bar) = &self.bar {
            let counted = if unit == "bytes" {
                "{bytes}/{total_bytes} {bytes_per_sec}"
            } else {
                "{pos}/{len} {per_sec}"
            };
            bar.set_style(style(counted));
            bar.set_prefix(deed);
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(words);
            return;
        }
        if self.pace.due() {
            let share = (done * 100).checked_div(total).unwrap_or(0);
            let seconds = self.begun.elapsed().as_secs();
            drop(writeln!(std::io::stderr(), "{deed}: {share} % {words} after {seconds} s"));
        }
    }

    fn stopped(&self) -> bool {
        self.is_stopped()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
