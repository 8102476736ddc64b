//! The mail servers of the tests (`tests/lab/lab`): started once for a run, shared by all stories, each with people of its
//! own, and taken down when the test process ends, however it ends.

use super::imap::Imap;
use super::smtp;
use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

const PEOPLE: usize = 240;
static SHARED: OnceLock<Lab> = OnceLock::new();

/// Running mail servers.
pub struct Lab {
    dir: String,
    ca: String,
    password: String,
    ports: HashMap<String, u16>,
    next: AtomicUsize,
    owned: bool,
    /// Waits for our process to end, then cleans up: statics are never dropped, and tests get killed.
    watch: Child,
}

/// Somebody with a mailbox.
#[derive(Clone, Debug)]
pub struct Person {
    pub address: String,
    pub user: String,
}

impl Lab {
    /// The one that all stories share.
    pub fn shared() -> &'static Self {
        SHARED.get_or_init(|| Self::start(None, &[]))
    }

    /// One of a story's own, because it stops the servers or wants a password of its choosing. Taken down when dropped.
    pub fn own(password: Option<&str>) -> Self {
        let mut lab = Self::start(password, &[]);
        lab.owned = true;
        lab
    }

    /// One of a story's own whose IMAP server is of another kind: `LAB_PREFIX`, `LAB_LACKS`, `LAB_QUOTA`.
    pub fn of_another_kind(kind: &[(&str, &str)]) -> Self {
        let mut lab = Self::start(None, kind);
        lab.owned = true;
        lab
    }

    fn start(password: Option<&str>, kind: &[(&str, &str)]) -> Self {
        let users: Vec<String> = ["alice", "bob", "carol"]
            .iter()
            .flat_map(|n| (1..=PEOPLE).map(move |i| format!("{n}{i}")))
            .collect();
        let mut command = script(&["up"]);
        command.env("LAB_USERS", users.join(" ")).env_remove("LAB_DIR").env_remove("LAB_PORT_BASE");
        for name in ["LAB_PREFIX", "LAB_LACKS", "LAB_QUOTA"] {
            command.env_remove(name);
        }
        command.envs(kind.iter().copied());
        match password {
            Some(password) => command.env("LAB_PASSWORD", password),
            None => command.env_remove("LAB_PASSWORD"),
        };
        let mut output = command.output().unwrap();
        for _ in 0..4 {
            // Somebody else may take the ports between the look and the start.
            if !String::from_utf8_lossy(&output.stderr).contains("already in use") {
                break;
            }
            output = command.output().unwrap();
        }
        assert!(
            output.status.success(),
            "the mail servers did not start (they want Debian 12 and root or sudo): {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let exports = String::from_utf8(output.stdout).unwrap();
        let vars: HashMap<&str, &str> = exports
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .map(|(k, v)| (k, v.trim_matches('\'')))
            .collect();
        let ports = vars.iter().filter_map(|(k, v)| Some(((*k).to_owned(), v.parse().ok()?))).collect();
        let mut watch = Command::new("setsid");
        watch
            .arg(script_path())
            .args(["watch", &std::process::id().to_string()])
            .env("LAB_DIR", vars["LAB_DIR"]);
        watch.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self {
            watch: watch.spawn().unwrap(),
            dir: vars["LAB_DIR"].to_owned(),
            ca: vars["LAB_CA"].to_owned(),
            password: vars["LAB_PASSWORD"].to_owned(),
            ports,
            next: AtomicUsize::new(1),
            owned: false,
        }
    }

    /// Somebody whom no other story knows. `name` is alice, bob or carol.
    pub fn person(&self, name: &str) -> Person {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(number <= PEOPLE, "the lab has only {PEOPLE} people of each name");
        let user = format!("{name}{number}");
        Person { address: format!("{user}@lab.test"), user }
    }

    /// The password of everybody.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// A file that holds it.
    pub fn password_file(&self) -> String {
        format!("{}/password", self.dir)
    }

    /// The folder of these servers.
    pub fn dir(&self) -> &str {
        &self.dir
    }

    /// The CA that signed the servers' certificate.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// `LAB_…_PORT` of the exports.
    pub fn port(&self, name: &str) -> u16 {
        self.ports[&format!("LAB_{name}_PORT")]
    }

    /// `account add` over TLS.
    pub fn account_args(&self, person: &Person) -> Vec<String> {
        self.account_args_at(person, "localhost", "tls", self.port("IMAPS"), self.port("SUBMISSIONS"))
    }

    /// `account add` with a host, a security and ports of the story's choosing.
    pub fn account_args_at(
        &self,
        person: &Person,
        host: &str,
        security: &str,
        imap: u16,
        smtp: u16,
    ) -> Vec<String> {
        let args = [
            "account",
            "add",
            &person.address,
            "--imap",
            &format!("{host}:{imap}"),
            "--imap-security",
            security,
            "--smtp",
            &format!("{host}:{smtp}"),
            "--smtp-security",
            security,
            "--password-file",
            &self.password_file(),
            "--ca-file",
            self.ca(),
        ];
        args.iter().map(|a| (*a).to_owned()).collect()
    }

    /// A session of `person`, to see and change what the server holds.
    pub fn imap(&self, person: &Person) -> Imap {
        Imap::login(self.port("IMAP"), &person.user, &self.password)
    }

    /// Delivers a message from outside.
    pub fn deliver(&self, to: &Person, message: &[u8]) {
        smtp::deliver(self.port("SMTP"), "outside@lab.test", &to.address, message);
    }

    /// Answers RCPT for an address with a code, from the next connection on.
    pub fn fault(&self, address: &str, answer: &str) {
        self.script(&["fault", address, answer]);
    }

    /// Takes that back.
    pub fn unfault(&self, address: &str) {
        self.script(&["unfault", address]);
    }

    /// `stop imap`, `start imap`, `stop smtp`, `start smtp`. Only for a lab of one's own.
    pub fn switch(&self, verb: &str, what: &str) {
        assert!(self.owned, "others use this lab");
        self.script(&[verb, what]);
    }

    /// Puts messages into somebody's inbox, many at once, straight into the folder on the server's disk.
    pub fn pour(&self, to: &Person, messages: impl Iterator<Item = Vec<u8>>) {
        let new = format!("{}/mail/home/{}/Maildir/new", self.dir, to.user);
        let here = tempfile::tempdir().unwrap();
        for (n, message) in messages.enumerate() {
            let time = 1_700_000_000 + n;
            std::fs::write(here.path().join(format!("{time}.P{n}.poured")), message).unwrap();
        }
        // As the user that the server runs as, and in one go.
        let script = "chown -R --reference=\"$2\" \"$1\" && find \"$1\" -type f -exec mv -t \"$2\" {} +";
        let mut move_in = super::as_root("sh");
        move_in.args(["-c", script, "sh", here.path().to_str().unwrap(), &new]);
        assert!(move_in.status().unwrap().success(), "the messages could not be put into {new}");
    }

    fn script(&self, args: &[&str]) {
        let output = script(args).env("LAB_DIR", &self.dir).output().unwrap();
        assert!(output.status.success(), "lab {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.owned {
            let _ = self.watch.kill();
            let _ = self.watch.wait();
            let _ = script(&["down"]).env("LAB_DIR", &self.dir).output();
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn script_path() -> &'static str {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab")
}

fn script(args: &[&str]) -> Command {
    let mut command = Command::new(script_path());
    command.args(args).stdin(Stdio::null());
    command
}
