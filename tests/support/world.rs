//! One person's Mailkeep: a data directory, a passphrase and the program itself, always run as a process of its own.

use super::http::{Request, Response};
use super::lab::{Lab, Person};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

/// The program under test.
pub const MAILKEEP: &str = env!("CARGO_BIN_EXE_mailkeep");

/// The passphrase of every store made here.
pub const PASSPHRASE: &str = "seven quiet herons over Lagos harbour";

/// A data directory with everything around it. Gone at the end of the test.
pub struct World {
    home: tempfile::TempDir,
    data: PathBuf,
}

/// What a finished command left.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
    command: String,
}

impl Finished {
    /// The exit status; a signal is none.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or(-1)
    }

    /// The one JSON value on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|e| {
            panic!("{}: stdout is not one JSON value ({e}): {}", self, String::from_utf8_lossy(&self.stdout))
        })
    }

    /// It ended with 0.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code(), 0, "{self}");
        self
    }

    /// It ended with `code` and one sentence that a person can read, with no innards in it; gives what it said.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code(), code, "{self}");
        // Log lines may stand before it; the sentence is the last word.
        let said = self.stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
        assert!(!said.is_empty(), "{self}: says nothing");
        for innards in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!self.stderr.contains(innards), "{self}: shows {innards:?}");
        }
        for innards in ["::", "Err(", "Some(", "Os {", "os error"] {
            assert!(!said.contains(innards), "{self}: shows {innards:?}");
        }
        // Of wrong usage the help says more than one line.
        if code == 2 { self.stderr.clone() } else { said }
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ended with {:?} and said: {}", self.command, self.status.code(), self.stderr.trim())
    }
}

impl World {
    /// An empty, encrypted store. Without its own Tor: a story that needs one says which, and the others ask nobody outside.
    pub fn new() -> Self {
        let world = Self::bare();
        world.ok(&["init"]);
        world.ok(&["config", "set", "tor.mode", "off"]);
        world
    }

    /// A place for a store, with none in it yet.
    pub fn bare() -> Self {
        let home = tempfile::Builder::new().prefix("mailkeep-test.").tempdir().unwrap();
        let data = home.path().join("data");
        Self::at(home, data)
    }

    /// A place for a store at a path of the test's choosing (a small filesystem, say).
    pub fn at(home: tempfile::TempDir, data: PathBuf) -> Self {
        std::fs::write(home.path().join("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        Self { home, data }
    }

    /// A store with an account of `person` on the lab's servers, over TLS with the lab's CA.
    pub fn with_account(lab: &Lab, person: &Person) -> Self {
        let world = Self::new();
        world.add_account(lab, person);
        world
    }

    /// Adds an account over TLS with the lab's CA.
    pub fn add_account(&self, lab: &Lab, person: &Person) -> Value {
        let args = lab.account_args(person);
        self.ok(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A folder of the test's own, outside the data directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a file outside the data directory and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command to its end, without `--json`.
    pub fn run(&self, args: &[&str]) -> Finished {
        finish(self.global_first(args, false))
    }

    /// Runs a command with `--json` to its end.
    pub fn run_json(&self, args: &[&str]) -> Finished {
        finish(self.global_first(args, true))
    }

    /// Runs a command with `--json`; it must end with 0.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Value {
        self.run_json(args).done().json()
    }

    /// Runs a command that must end with `code`; gives what it said.
    #[track_caller]
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        self.run_json(args).fails(code)
    }

    /// A command with everything global in front, to be spawned, killed or finished by the test.
    pub fn global_first(&self, args: &[&str], json: bool) -> Command {
        let mut command = Command::new(MAILKEEP);
        command.arg("--data").arg(&self.data).arg("--passphrase-file").arg(self.path("passphrase"));
        if json {
            command.arg("--json");
        }
        command.args(args).stdin(Stdio::null());
        command.env_remove("MAILKEEP_DATA").env_remove("MAILKEEP_PASSPHRASE_FILE").env_remove("RUST_LOG");
        command
    }

    /// The ids that a search finds, in its order.
    #[track_caller]
    pub fn ids(&self, query: &str) -> Vec<String> {
        let found = self.ok(&["search", "--limit", "10000", query]);
        found["messages"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The one message that a search finds.
    #[track_caller]
    pub fn only(&self, query: &str) -> String {
        let mut ids = self.ids(query);
        assert_eq!(ids.len(), 1, "{query} finds {ids:?}");
        ids.remove(0)
    }

    /// How many messages a query finds.
    #[track_caller]
    pub fn count(&self, query: &str) -> u64 {
        self.ok(&["count", query])["total"].as_u64().unwrap()
    }

    /// The stored bytes of a message.
    #[track_caller]
    pub fn raw(&self, id: &str) -> Vec<u8> {
        self.run(&["show", id, "--raw"]).done().stdout
    }

    /// The server, unlocked.
    pub fn serve(&self) -> Server<'_> {
        Server::start(self, self.global_first(&["serve", "--listen", "127.0.0.1:0"], false))
    }

    /// The server, unlocked, which logs all that it ever logs.
    pub fn serve_loud(&self) -> Server<'_> {
        let mut command = self.global_first(&["serve", "--listen", "127.0.0.1:0"], false);
        command.env("MAILKEEP_LOG", "debug");
        Server::start(self, command)
    }

    /// The server, unlocked, with more said on the command line.
    pub fn serve_with(&self, more: &[&str]) -> Server<'_> {
        let all = [&["serve", "--listen", "127.0.0.1:0"], more].concat();
        Server::start(self, self.global_first(&all, false))
    }

    /// The server, unlocked, on a machine whose clock is so many days ahead. Whoever asks for it ends it before the store goes.
    pub fn serve_ahead(&self, days: u32) -> Server<'static> {
        let mut command = self.global_first(&["serve", "--listen", "127.0.0.1:0"], false);
        if days > 0 {
            let library =
                format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
            assert!(
                Path::new(&library).exists(),
                "the Debian package libfaketime is missing (tests/lab/lab install)"
            );
            command.env("LD_PRELOAD", library).env("FAKETIME", format!("+{days}d"));
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        Server::begin(command)
    }

    /// The server, locked until somebody signs in.
    pub fn serve_locked(&self) -> Server<'_> {
        self.serve_locked_at("127.0.0.1:0")
    }

    /// The same on a listener of the story's choosing.
    pub fn serve_locked_at(&self, listen: &str) -> Server<'_> {
        self.serve_locked_with(&["--listen", listen])
    }

    /// The same with all that is said on the command line.
    pub fn serve_locked_with(&self, args: &[&str]) -> Server<'_> {
        let mut command = Command::new(MAILKEEP);
        command.arg("--data").arg(&self.data).arg("serve").args(args).stdin(Stdio::null());
        command.env_remove("MAILKEEP_DATA").env_remove("MAILKEEP_PASSPHRASE_FILE").env_remove("RUST_LOG");
        Server::start(self, command)
    }
}

/// Runs a command to its end.
pub fn finish(mut command: Command) -> Finished {
    let text = format!("{command:?}");
    let output = command.output().unwrap();
    Finished {
        status: output.status,
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        command: text,
    }
}

/// A running `mailkeep serve`. Killed when dropped.
pub struct Server<'w> {
    world: std::marker::PhantomData<&'w World>,
    pub address: String,
    said: std::sync::Arc<Mutex<Vec<String>>>,
    child: Child,
    log: std::sync::Arc<Mutex<String>>,
}

impl<'w> Server<'w> {
    fn start(_: &'w World, command: Command) -> Self {
        Self::begin(command)
    }

    fn begin(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = std::sync::Arc::new(Mutex::new(String::new()));
        let mut stderr = child.stderr.take().unwrap();
        let kept = std::sync::Arc::clone(&log);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut piece) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..n]));
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = std::sync::Arc::new(Mutex::new(Vec::new()));
        let ready = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let address = line.strip_prefix("Mailkeep is ready at http://");
            let address = address.map(|address| address.trim_end_matches('/').to_owned());
            said.lock().unwrap().push(line);
            address
        });
        let Some(address) = ready else {
            let status = child.wait().unwrap();
            panic!("serve ended with {status} before it was ready: {}", log.lock().unwrap());
        };
        let more = std::sync::Arc::clone(&said);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| more.lock().unwrap().push(line))
        });
        Self { world: std::marker::PhantomData, address, said, child, log }
    }

    /// The lines that it has printed so far: at least those up to where it was ready.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// What it has written to stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as Ctrl-C does, and waits.
    pub fn stop(mut self) -> ExitStatus {
        signal(self.pid(), rustix::process::Signal::INT);
        self.child.wait().unwrap()
    }

    /// A request, with an honest `Host`.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(&self.address, method, path)
    }

    /// A plain GET.
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path).send()
    }

    /// Signs in on the unlock page as a browser would; gives the `Cookie` header.
    pub fn sign_in(&self) -> String {
        let page = self.get("/unlock");
        let jar = page.cookies();
        let form = page.form_with("type=\"password\"");
        let mut fields = form.fields.clone();
        fields.push((form.password_name.clone(), PASSPHRASE.to_owned()));
        let answer =
            self.request("POST", &form.action).cookie(&jar).origin(&self.origin()).form(&fields).send();
        assert!(answer.status == 303 || answer.status == 302, "signing in answered {}", answer.status);
        let new = answer.cookies();
        assert!(!new.is_empty(), "signing in sets a cookie");
        if jar.is_empty() { new } else { format!("{new}; {jar}") }
    }

    /// What a browser sends as `Origin` for its pages.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log();
        if std::thread::panicking() {
            // What it said last may say why the story went wrong.
            let said =
                log.find("panicked").map_or(log.len().saturating_sub(4000), |at| at.saturating_sub(200));
            eprintln!("the server said:\n{}", String::from_utf8_lossy(&log.as_bytes()[said..]));
        } else if log.contains("panicked") {
            panic!("the server panicked: {log}");
        }
    }
}

/// Sends a signal.
pub fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    let _ = rustix::process::kill_process(pid, signal);
}
