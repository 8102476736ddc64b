//! What the stories stand on: a [`World`] with a store of its own, a real mail server, small clients for IMAP, SMTP and
//! HTTP that hide nothing, and sample mail.

pub mod avatars;
pub mod http;
pub mod imap;
pub mod keyserver;
pub mod lab;
pub mod machines;
pub mod mail;
pub mod onion;
pub mod provider;
pub mod resolver;
pub mod signing;
pub mod smtp;
pub mod socks;
pub mod stubborn;
pub mod tor;
pub mod tor_client;
pub mod world;

pub use http::{Request, Response};
pub use lab::{Lab, Person};
pub use world::{Server, World};

use std::time::{Duration, Instant};

/// Waits until `found` gives something. The deadline is generous and only there so that a broken test ends.
pub fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(start.elapsed() < Duration::from_secs(600), "waited ten minutes for: {what}");
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Waits until `is_so`.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    wait_for(what, || is_so().then_some(()));
}

/// Tells a story as on a kernel that does not know a system call: on a thread where it fails, which whatever the story starts
/// inherits.
pub fn without_call<T: Send + 'static>(call: i64, story: impl FnOnce() -> T + Send + 'static) -> T {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    let apart = std::thread::spawn(move || {
        let refused = SeccompAction::Errno(u32::try_from(libc::ENOSYS).unwrap());
        let arch = std::env::consts::ARCH.try_into().unwrap();
        let calls = [(call, Vec::new())].into();
        let filter = SeccompFilter::new(calls, SeccompAction::Allow, refused, arch).unwrap();
        let program: BpfProgram = filter.try_into().unwrap();
        seccompiler::apply_filter(&program).unwrap();
        story()
    });
    apart.join().unwrap()
}

/// A command run as root: by sudo where this is not root already.
pub fn as_root(program: &str) -> std::process::Command {
    if rustix::process::geteuid().is_root() {
        return std::process::Command::new(program);
    }
    let mut command = std::process::Command::new("sudo");
    command.args(["-n", program]);
    command
}

/// A small generator of numbers for tests that want chance: xorshift, its seed printed so that a run can be repeated.
pub struct Chance(u64);

impl Chance {
    /// Seeded from `MAILKEEP_SEED`, else from the clock.
    pub fn new(story: &str) -> Self {
        let seed = std::env::var("MAILKEEP_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1
        });
        eprintln!("{story}: MAILKEEP_SEED={seed}");
        Self(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
