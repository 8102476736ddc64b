//! A blocking IMAP client over clear text on loopback: what the server holds, straight from the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A session.
pub struct Imap {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    tag: u32,
}

/// One untagged response: its text, each literal standing as `{}`, and the literals.
#[derive(Debug)]
pub struct Reply {
    pub text: String,
    pub literals: Vec<Vec<u8>>,
}

/// A message as the server holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub uid: u32,
    pub flags: Vec<String>,
    pub bytes: Vec<u8>,
}

impl Held {
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f.eq_ignore_ascii_case(flag))
    }
}

impl Imap {
    pub fn login(port: u16, user: &str, password: &str) -> Self {
        let writer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        writer.set_read_timeout(Some(Duration::from_secs(900))).unwrap();
        let mut imap = Self { reader: BufReader::new(writer.try_clone().unwrap()), writer, tag: 0 };
        imap.reply();
        imap.command(&format!("LOGIN {user} \"{password}\""));
        imap
    }

    /// Sends a command, which must end with OK; gives the untagged responses.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> Vec<Reply> {
        self.tag += 1;
        let tag = format!("t{} ", self.tag);
        self.writer.write_all(format!("{tag}{command}\r\n").as_bytes()).unwrap();
        self.until(&tag, command)
    }

    #[track_caller]
    fn until(&mut self, tag: &str, command: &str) -> Vec<Reply> {
        let mut replies = Vec::new();
        loop {
            let reply = self.reply();
            let Some(end) = reply.text.strip_prefix(tag) else {
                replies.push(reply);
                continue;
            };
            assert!(end.starts_with("OK"), "{command} was answered {end}");
            return replies;
        }
    }

    fn reply(&mut self) -> Reply {
        let (mut text, mut literals) = (String::new(), Vec::new());
        loop {
            let mut line = Vec::new();
            self.reader.read_until(b'\n', &mut line).unwrap();
            assert!(!line.is_empty(), "the IMAP server hung up");
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let size =
                line.strip_suffix('}').and_then(|l| l.rsplit_once('{')).and_then(|(_, n)| n.parse().ok());
            let Some(size) = size else {
                text.push_str(&line);
                return Reply { text, literals };
            };
            text.push_str(line.rsplit_once('{').unwrap().0);
            text.push_str("{}");
            let mut literal = vec![0; size];
            self.reader.read_exact(&mut literal).unwrap();
            literals.push(literal);
        }
    }

    /// Puts a message into a folder, exactly these bytes; gives its UID.
    pub fn append(&mut self, folder: &str, flags: &str, message: &[u8]) -> u32 {
        self.tag += 1;
        let tag = format!("t{} ", self.tag);
        let command = format!("{tag}APPEND \"{folder}\" ({flags}) {{{}}}\r\n", message.len());
        self.writer.write_all(command.as_bytes()).unwrap();
        let go_on = self.reply();
        assert!(go_on.text.starts_with('+'), "APPEND was answered {}", go_on.text);
        self.writer.write_all(message).unwrap();
        self.writer.write_all(b"\r\n").unwrap();
        loop {
            let reply = self.reply();
            if let Some(end) = reply.text.strip_prefix(&tag) {
                assert!(end.starts_with("OK [APPENDUID "), "APPEND was answered {end}");
                return end.split([' ', ']']).nth(3).unwrap().parse().unwrap();
            }
        }
    }

    /// The same of a message that the server may not want; whether it took it.
    pub fn offer(&mut self, folder: &str, message: &[u8]) -> bool {
        self.tag += 1;
        let tag = format!("t{} ", self.tag);
        let command = format!("{tag}APPEND \"{folder}\" {{{}}}\r\n", message.len());
        self.writer.write_all(command.as_bytes()).unwrap();
        loop {
            let reply = self.reply();
            if reply.text.starts_with('+') {
                self.writer.write_all(message).unwrap();
                self.writer.write_all(b"\r\n").unwrap();
            } else if let Some(end) = reply.text.strip_prefix(&tag) {
                return end.starts_with("OK");
            }
        }
    }

    /// How many messages lie in a folder, and how many bytes.
    pub fn weight(&mut self, folder: &str) -> (usize, usize) {
        let held = self.held(folder);
        (held.len(), held.iter().map(|held| held.bytes.len()).sum())
    }

    pub fn select(&mut self, folder: &str) -> Vec<Reply> {
        self.command(&format!("SELECT \"{folder}\""))
    }

    pub fn uid_validity(&mut self, folder: &str) -> u32 {
        let replies = self.select(folder);
        let text = replies.iter().find_map(|r| r.text.split("[UIDVALIDITY ").nth(1)).unwrap();
        text.split(']').next().unwrap().parse().unwrap()
    }

    /// Everything a folder holds.
    pub fn held(&mut self, folder: &str) -> Vec<Held> {
        self.select(folder);
        let replies = self.command("UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
        let mut held: Vec<Held> = replies.into_iter().filter_map(Reply::into_held).collect();
        held.sort_by_key(|h| h.uid);
        held
    }

    /// The names of all folders.
    pub fn folders(&mut self) -> Vec<String> {
        let replies = self.command("LIST \"\" *");
        replies
            .iter()
            .filter(|r| r.text.starts_with("* LIST") && !r.text.contains("\\No"))
            .map(|r| {
                let name = r.text.split_once("\"/\" ").or_else(|| r.text.split_once("\".\" ")).unwrap().1;
                name.trim_matches('"').to_owned()
            })
            .collect()
    }

    /// Sets (`+`) or takes (`-`) flags in a folder.
    pub fn store(&mut self, folder: &str, uid: u32, change: char, flags: &str) {
        self.select(folder);
        self.command(&format!("UID STORE {uid} {change}FLAGS ({flags})"));
    }

    pub fn move_to(&mut self, folder: &str, uid: u32, target: &str) {
        self.select(folder);
        self.command(&format!("UID MOVE {uid} \"{target}\""));
    }

    pub fn copy_to(&mut self, folder: &str, uid: u32, target: &str) {
        self.select(folder);
        self.command(&format!("UID COPY {uid} \"{target}\""));
    }

    /// Removes a message for ever.
    pub fn expunge(&mut self, folder: &str, uid: u32) {
        self.store(folder, uid, '+', "\\Deleted");
        self.command(&format!("UID EXPUNGE {uid}"));
    }
}

impl Reply {
    fn into_held(mut self) -> Option<Held> {
        let uid = self.text.split("UID ").nth(1)?.split([' ', ')']).next()?.parse().ok()?;
        let flags = self.text.split("FLAGS (").nth(1)?.split(')').next()?;
        let flags = flags.split_whitespace().map(str::to_owned).collect();
        Some(Held { uid, flags, bytes: self.literals.pop()? })
    }
}
