//! A Tor network of the tests' own (`tests/lab/tor`), and witnesses who say which process a connection came from.

use super::world::signal;
use std::collections::HashMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

static SHARED: OnceLock<TorNet> = OnceLock::new();

/// Running authorities and exits.
pub struct TorNet {
    /// The file for `tor.config`.
    pub toml: String,
    /// An onion service that leads to the IMAP server it was started for.
    pub onion: String,
    /// Its processes.
    pub pids: Vec<u32>,
    /// Waits for our process to end, then cleans up.
    _watch: Child,
}

impl TorNet {
    /// The one that stories share which leave it alone. Its onion leads to `imap` on loopback.
    pub fn shared(imap: u16) -> &'static Self {
        SHARED.get_or_init(|| Self::own(imap))
    }

    /// One of a story's own.
    pub fn own(imap: u16) -> Self {
        let output = Command::new(script())
            .arg("up")
            .env("TOR_ONION_TO", format!("127.0.0.1:{imap}"))
            .env_remove("TOR_DIR")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "no Tor network: {}", String::from_utf8_lossy(&output.stderr));
        let exports = String::from_utf8(output.stdout).unwrap();
        // export NAME='VALUE' …; each value stands between two marks.
        let pieces: Vec<&str> = exports.split('\'').collect();
        let values: HashMap<&str, &str> = pieces
            .chunks_exact(2)
            .map(|pair| (pair[0].rsplit([' ', '\n']).next().unwrap().trim_end_matches('='), pair[1]))
            .collect();
        let mut watch = Command::new("setsid");
        watch
            .arg(script())
            .args(["watch", &std::process::id().to_string()])
            .env("TOR_DIR", values["TOR_DIR"]);
        watch.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self {
            toml: values["TOR_TOML"].to_owned(),
            onion: values["TOR_ONION"].to_owned(),
            pids: values["TOR_PIDS"].split_whitespace().map(|pid| pid.parse().unwrap()).collect(),
            _watch: watch.spawn().unwrap(),
        }
    }

    /// Kills every relay. Only for a network of one's own.
    pub fn kill(&self) {
        for pid in &self.pids {
            signal(*pid, rustix::process::Signal::KILL);
        }
    }
}

fn script() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/tor")
}

/// Servers on as many addresses of this machine, all on one port: they turn everybody away, and remember which process came.
pub struct Witnesses {
    /// Their port.
    pub port: u16,
    seen: Arc<Mutex<HashMap<String, Vec<u32>>>>,
}

impl Witnesses {
    /// Listens on `127.0.1.1` and so on.
    pub fn begin(count: u8) -> Self {
        let (port, listeners) = super::wait_for("a port that is free on all addresses", || {
            let first = TcpListener::bind("127.0.1.1:0").ok()?;
            let port = first.local_addr().ok()?.port();
            let others = (2..=count).map(|n| TcpListener::bind((Self::host(n), port)));
            let all: Vec<_> = std::iter::once(Ok(first)).chain(others).collect::<Result<_, _>>().ok()?;
            Some((port, all))
        });
        let seen = Arc::<Mutex<HashMap<String, Vec<u32>>>>::default();
        for listener in listeners {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || {
                let host = listener.local_addr().unwrap().ip().to_string();
                for mut stream in listener.incoming().map_while(Result::ok) {
                    // Who went away before that could be seen is nobody's, and comes again.
                    let pid = owner(&stream).unwrap_or_default();
                    seen.lock().unwrap().entry(host.clone()).or_default().push(pid);
                    let _ = stream.write_all(b"* BYE not today\r\n");
                }
            });
        }
        Self { port, seen }
    }

    /// The address of one of them, from 1.
    pub fn host(n: u8) -> String {
        format!("127.0.1.{n}")
    }

    /// Which processes came to it.
    pub fn callers(&self, host: &str) -> Vec<u32> {
        self.seen.lock().unwrap().get(host).cloned().unwrap_or_default()
    }
}

/// The process at the other end of a connection on this machine.
fn owner(stream: &TcpStream) -> Option<u32> {
    let (there, here) = (hex(stream.peer_addr().ok()?)?, hex(stream.local_addr().ok()?)?);
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let inode = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(1)? == &there && fields.get(2)? == &here).then(|| fields.get(9).copied())?
    })?;
    let socket = format!("socket:[{inode}]");
    let holds = |pid: u32| {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        open.filter_map(Result::ok)
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.to_str() == Some(&socket)))
            .then_some(pid)
    };
    let all = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find_map(holds)
}

/// An address as the kernel's table writes it.
fn hex(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}
