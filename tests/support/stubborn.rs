//! A small IMAP server of our own, for what no real one can be made to do: refuse, renumber, lack what others have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// The server; it ends with the test process.
pub struct Stubborn {
    state: Arc<Mutex<State>>,
    port: u16,
}

/// What it holds and how it behaves.
pub struct State {
    /// What it says it can do, beside IMAP4rev1.
    pub capabilities: String,
    /// What the names of the owner's folders begin with.
    pub prefix: String,
    pub folders: BTreeMap<String, Folder>,
    /// Commands in which this text stands get that answer.
    pub refusals: Vec<(String, String)>,
    /// Every command so far, without its tag.
    pub heard: Vec<String>,
}

#[derive(Default)]
pub struct Folder {
    pub validity: u32,
    next: u32,
    pub messages: BTreeMap<u32, Message>,
}

#[derive(Clone)]
pub struct Message {
    pub flags: BTreeSet<String>,
    pub bytes: Vec<u8>,
    /// The size it tells, where it lies.
    pub size: Option<u64>,
}

impl Folder {
    fn take(&mut self, message: Message) -> u32 {
        self.next += 1;
        self.messages.insert(self.next, message);
        self.next
    }
}

impl Stubborn {
    /// One with these capabilities and an inbox.
    pub fn start(capabilities: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inbox = Folder { validity: 1, ..Folder::default() };
        let state = Arc::new(Mutex::new(State {
            capabilities: capabilities.to_owned(),
            prefix: String::new(),
            folders: [("INBOX".to_owned(), inbox)].into(),
            refusals: Vec::new(),
            heard: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || {
                    drop(Conversation { stream, state, folder: String::new() }.go_on())
                });
            }
        });
        Self { state, port }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes a folder.
    pub fn folder(&self, name: &str) {
        self.state().folders.insert(name.to_owned(), Folder { validity: 1, ..Folder::default() });
    }

    /// Puts a message into a folder; gives its UID.
    pub fn hold(&self, folder: &str, bytes: &[u8]) -> u32 {
        let message = Message { flags: BTreeSet::new(), bytes: bytes.to_vec(), size: None };
        self.state().folders.get_mut(folder).unwrap().take(message)
    }

    /// Answers every command in which `text` stands with `answer`.
    pub fn refuse(&self, text: &str, answer: &str) {
        self.state().refusals.push((text.to_owned(), answer.to_owned()));
    }

    /// Does what it is told again.
    pub fn relent(&self) {
        self.state().refusals.clear();
    }

    /// Numbers a folder anew: another UIDVALIDITY, UIDs from 1.
    pub fn renumber(&self, folder: &str) {
        let mut state = self.state();
        let old = state.folders.remove(folder).unwrap();
        let mut new = Folder { validity: old.validity + 1, ..Folder::default() };
        for message in old.messages.into_values() {
            new.take(message);
        }
        state.folders.insert(folder.to_owned(), new);
    }

    /// The flags of all messages of a folder, by UID.
    pub fn flags(&self, folder: &str) -> Vec<(u32, Vec<String>)> {
        let state = self.state();
        let Some(folder) = state.folders.get(folder) else { return Vec::new() };
        folder.messages.iter().map(|(uid, m)| (*uid, m.flags.iter().cloned().collect())).collect()
    }

    /// How often a command with this text was heard.
    pub fn heard(&self, text: &str) -> usize {
        self.state().heard.iter().filter(|command| command.contains(text)).count()
    }

    /// `account add` for it; mail goes out by the lab's server.
    pub fn account_args(&self, lab: &super::Lab, person: &super::Person) -> Vec<String> {
        let mut args = lab.account_args(person);
        let mut set = |name: &str, value: String| {
            let at = args.iter().position(|a| a == name).unwrap();
            args[at + 1] = value;
        };
        set("--imap", format!("127.0.0.1:{}", self.port));
        set("--imap-security", "none".into());
        args
    }
}

struct Conversation {
    stream: TcpStream,
    state: Arc<Mutex<State>>,
    folder: String,
}

/// What a set like `1:3,7` names.
fn set(text: &str, folder: &Folder) -> Vec<u32> {
    let named = |uid: &u32| {
        text.split(',').any(|part| {
            let (first, last) = part.split_once(':').unwrap_or((part, part));
            let last = if last == "*" { u32::MAX } else { last.parse().unwrap() };
            (first.parse().unwrap()..=last).contains(uid)
        })
    };
    folder.messages.keys().copied().filter(named).collect()
}

impl Conversation {
    fn go_on(mut self) -> std::io::Result<()> {
        let mut lines = BufReader::new(self.stream.try_clone()?).lines();
        self.stream.write_all(b"* OK ready\r\n")?;
        while let Some(line) = lines.next().transpose()? {
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            let answer = self.answer(command);
            self.stream.write_all(&answer.0)?;
            self.stream.write_all(format!("{tag} {}\r\n", answer.1).as_bytes())?;
            if command == "LOGOUT" {
                break;
            }
        }
        Ok(())
    }

    fn answer(&mut self, command: &str) -> (Vec<u8>, String) {
        let state = Arc::clone(&self.state);
        let mut state = state.lock().unwrap();
        state.heard.push(command.to_owned());
        if let Some((_, answer)) = state.refusals.iter().find(|(text, _)| command.contains(text)) {
            return (Vec::new(), answer.clone());
        }
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let name = |text: &str| text.split('"').nth(1).unwrap_or_default().to_owned();
        let ok = |untagged: String| (untagged.into_bytes(), "OK done".to_owned());
        match word {
            "CAPABILITY" => ok(format!("* CAPABILITY IMAP4rev1 {}\r\n", state.capabilities)),
            "NAMESPACE" => ok(format!("* NAMESPACE ((\"{}\" \".\")) NIL NIL\r\n", state.prefix)),
            "LIST" => ok(state.folders.keys().map(|f| format!("* LIST () \".\" \"{f}\"\r\n")).collect()),
            "CREATE" if !name(rest).starts_with(&state.prefix) => {
                (Vec::new(), "NO [CANNOT] not here".to_owned())
            }
            "CREATE" => {
                state.folders.insert(name(rest), Folder { validity: 1, ..Folder::default() });
                ok(String::new())
            }
            "SELECT" => {
                let Some(folder) = state.folders.get(&name(rest)) else {
                    return (Vec::new(), "NO [NONEXISTENT] no such folder".to_owned());
                };
                self.folder = name(rest);
                ok(format!(
                    "* {} EXISTS\r\n* OK [UIDVALIDITY {}] x\r\n* OK [UIDNEXT {}] x\r\n* OK [PERMANENTFLAGS (\\*)] x\r\n",
                    folder.messages.len(),
                    folder.validity,
                    folder.next + 1
                ))
            }
            "UID" => self.by_uid(&mut state, rest),
            _ => ok(String::new()),
        }
    }

    fn by_uid(&self, state: &mut State, rest: &str) -> (Vec<u8>, String) {
        let mut words = rest.splitn(3, ' ');
        let (verb, which, what) =
            (words.next().unwrap(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let folder = state.folders.get_mut(&self.folder).unwrap();
        let mut out = Vec::new();
        let mut end = "OK done".to_owned();
        if verb == "SEARCH" {
            let uids: Vec<String> = folder.messages.keys().map(ToString::to_string).collect();
            return (format!("* SEARCH {}\r\n", uids.join(" ")).into_bytes(), end);
        }
        let uids = set(which, folder);
        match verb {
            "FETCH" => {
                for uid in uids {
                    fetch(&mut out, uid, &folder.messages[&uid], what);
                }
            }
            "STORE" => {
                let flags: Vec<String> =
                    what.split(['(', ')']).nth(1).unwrap().split(' ').map(Into::into).collect();
                for uid in uids {
                    let held = &mut folder.messages.get_mut(&uid).unwrap().flags;
                    for flag in &flags {
                        if what.starts_with('+') {
                            held.insert(flag.clone())
                        } else {
                            held.remove(flag)
                        };
                    }
                }
            }
            "EXPUNGE" => {
                folder.messages.retain(|uid, m| !(uids.contains(uid) && m.flags.contains("\\Deleted")));
            }
            "COPY" | "MOVE" => {
                let copies: Vec<Message> = uids.iter().map(|uid| folder.messages[uid].clone()).collect();
                if verb == "MOVE" {
                    uids.iter().for_each(|uid| drop(folder.messages.remove(uid)));
                }
                let target = what.split('"').nth(1).unwrap();
                let Some(target) = state.folders.get_mut(target) else {
                    return (out, "NO [TRYCREATE] no such folder".to_owned());
                };
                let new: Vec<String> = copies.into_iter().map(|m| target.take(m).to_string()).collect();
                if state.capabilities.contains("UIDPLUS") && !new.is_empty() {
                    end = format!("OK [COPYUID {} {which} {}] done", target.validity, new.join(","));
                }
            }
            other => panic!("the story needs UID {other}"),
        }
        (out, end)
    }
}

fn fetch(out: &mut Vec<u8>, uid: u32, message: &Message, what: &str) {
    let flags: Vec<&str> = message.flags.iter().map(String::as_str).collect();
    out.extend(format!("* {uid} FETCH (UID {uid} FLAGS ({})", flags.join(" ")).into_bytes());
    if what.contains("RFC822.SIZE") {
        let size = message.size.unwrap_or(message.bytes.len() as u64);
        out.extend(format!(" RFC822.SIZE {size}").into_bytes());
    }
    if what.contains("BODY.PEEK[]") {
        let piece = what.split(['<', '.', '>']).collect::<Vec<_>>();
        let (from, item) = match piece.as_slice() {
            [.., from, _, _] if what.contains('<') => (from.parse().unwrap(), format!("BODY[]<{from}>")),
            _ => (0, "BODY[]".to_owned()),
        };
        let bytes = &message.bytes[from..];
        out.extend(format!(" {item} {{{}}}\r\n", bytes.len()).into_bytes());
        out.extend(bytes);
    }
    out.extend(b")\r\n");
}
