//! The worker itself: raises its walls, reads one job, answers, ends.

use super::frame::{self, END, INPUT_MAX, INPUTS_MAX, MADE, NO_WALLS, WORDS_MAX};
use super::job::{Job, Made, Probe, Summary};
use super::walls::{self, Limits};
use super::{convert, pool};
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Where a worker puts what it makes. What is in it has left the process: what comes later cannot spoil it.
pub(super) struct Out<'a> {
    to: &'a mut dyn Write,
    /// How many bytes may still be made.
    room: usize,
}

impl Out<'_> {
    /// Hands over something made; `false` when the room is used up and nothing more is wanted.
    pub(super) fn made(&mut self, made: &Made) -> bool {
        let Some(room) = self.room.checked_sub(made.bytes.len()) else { return false };
        self.room = room;
        let Ok(words) = serde_json::to_vec(made) else { return false };
        let sent = self
            .to
            .write_all(&[MADE])
            .and_then(|()| frame::put(self.to, &words))
            .and_then(|()| frame::put(self.to, &made.bytes))
            .and_then(|()| self.to.flush());
        sent.is_ok()
    }
}

/// Does one job; `arguments` are what follows the word that makes the program a worker. Gives the exit status.
#[must_use]
pub fn run(mut arguments: impl Iterator<Item = String>) -> u8 {
    let mut number = || arguments.next().and_then(|word| word.parse::<u64>().ok());
    let limits = Limits {
        seconds: number().unwrap_or(pool::SECONDS).min(600),
        memory: number().unwrap_or(pool::MEMORY).min(4 << 30),
    };
    // A file that breaks a reader shall break it in silence: what it says might quote the file.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = io::stdout().lock();
    if walls::raise(limits).is_err() {
        drop(out.write_all(&[NO_WALLS]).and_then(|()| out.flush()));
        return 1;
    }
    match serve(&mut io::stdin().lock(), &mut out) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn serve(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let job: Job = serde_json::from_slice(&frame::take(from, WORDS_MAX)?)?;
    let count = frame::take(from, 4)?;
    let count = count.first_chunk::<4>().map_or(0, |b| u32::from_le_bytes(*b));
    let mut room = INPUT_MAX;
    let mut inputs = Vec::new();
    for _ in 0..usize::try_from(count).unwrap_or(0).min(INPUTS_MAX) {
        let input = frame::take(from, room)?;
        room -= input.len();
        inputs.push(input);
    }
    let done = catch_unwind(AssertUnwindSafe(|| {
        let mut out = Out { to: &mut *to, room: pool::OUTPUT };
        match job {
            Job::Probe(probe) => probe_walls(probe, &mut out),
            job => convert::work(&job, inputs, &mut out),
        }
    }));
    let summary = done.unwrap_or_else(|_| Summary {
        failed: vec![(0, "It is built in a way that Mailkeep cannot read".to_owned())],
        ..Summary::default()
    });
    to.write_all(&[END])?;
    frame::put(to, &serde_json::to_vec(&summary)?)?;
    to.flush()
}

/// Tries what is not allowed. Whoever answers got through.
fn probe_walls(probe: Probe, out: &mut Out<'_>) -> Summary {
    let through = match probe {
        Probe::Nothing => true,
        Probe::Open => std::fs::File::open("/etc/passwd").is_ok(),
        Probe::Write => std::fs::write("/tmp/mailkeep-worker-was-here", "x").is_ok(),
        Probe::Connect => std::net::TcpStream::connect("127.0.0.1:9").is_ok(),
        Probe::Execute => std::process::Command::new("/bin/true").spawn().is_ok(),
        Probe::ReadElsewhere => {
            let mut byte = [0];
            rustix::io::read(io::stderr(), &mut byte).is_ok()
        }
        Probe::Allocate => vec![1_u8; 4 << 30].iter().any(|byte| *byte == 1),
        Probe::Spin => loop {
            std::hint::spin_loop();
        },
        Probe::Babble => loop {
            if out.to.write_all(&[b' '; 4096]).is_err() {
                break false;
            }
        },
        Probe::Recurse => deeper(1) > 0,
        Probe::Panic => {
            let nothing: [u8; 0] = [];
            nothing.split_at(1).0.is_empty()
        }
    };
    Summary { notes: vec![if through { "through" } else { "denied" }.to_owned()], ..Summary::default() }
}

#[expect(unconditional_recursion, reason = "that is what is tried")]
fn deeper(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    deeper(depth + 1) + room.iter().sum::<u64>()
}
