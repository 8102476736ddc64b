//! A provider between a mail program and a real IMAP server: it passes everything on, unless the story has it do otherwise with
//! a message on its way in or out, or with a command.

use super::{Lab, Person};
use std::io::{BufRead, BufReader, Error, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the provider sees, at the moment when it may do something.
#[derive(Clone, Debug)]
pub struct Seen {
    pub when: When,
    /// The command's words in capitals: `APPEND`, `UID FETCH`, `UID STORE`, `EXPUNGE`.
    pub verb: String,
    /// The folder that it is about.
    pub folder: String,
    /// The message on its way, where there is one.
    pub message: Vec<u8>,
}

/// At which moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The program said it; the server has not heard of it.
    Asked,
    /// The server handed out a message; the program does not have it yet.
    Handed,
    /// The server did it; the program does not know yet.
    Done,
}

/// What the provider does.
pub enum Deed {
    /// Nothing.
    Pass,
    /// It puts another message in the place of this one.
    Swap(Vec<u8>),
    /// It says that it is done, or that there is no such message.
    Swallow,
    /// It hangs up.
    Cut,
}

type Rule = Box<dyn FnMut(&Seen) -> Deed + Send>;

/// The provider, as one program sees it; it ends with the test process.
pub struct Provider {
    port: u16,
    rule: Arc<Mutex<Rule>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    /// An honest one before the lab's server.
    pub fn before(lab: &Lab) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, server) = (listener.local_addr().unwrap().port(), lab.port("IMAP"));
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| Deed::Pass)));
        let said = Arc::<Mutex<Vec<String>>>::default();
        let shared = (Arc::clone(&rule), Arc::clone(&said));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (rule, said) = shared.clone();
                std::thread::spawn(move || drop(converse(client, server, &rule, &said)));
            }
        });
        Self { port, rule, said }
    }

    /// From now on it does this.
    pub fn does(&self, rule: impl FnMut(&Seen) -> Deed + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// From now on it is honest.
    pub fn relents(&self) {
        self.does(|_| Deed::Pass);
    }

    /// The commands so far, without tags and literals.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// `account add` through it; mail goes out by the lab's server.
    pub fn account_args(&self, lab: &Lab, person: &Person) -> Vec<String> {
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

/// What this provider does not pass on: it would not understand what comes of it.
const KEPT_BACK: [&str; 4] = ["IDLE", "STARTTLS", "COMPRESS=DEFLATE", "NOTIFY"];

/// Text with literals in it: each piece of text but the last is followed by a literal.
struct Frame {
    texts: Vec<Vec<u8>>,
    literals: Vec<Vec<u8>>,
}

impl Frame {
    /// Reads one; `None` at the end. `go_on` is told when somebody waits to be asked for a literal.
    fn read(
        from: &mut impl BufRead,
        mut go_on: impl FnMut() -> Result<(), Error>,
    ) -> Result<Option<Self>, Error> {
        let mut frame = Self { texts: Vec::new(), literals: Vec::new() };
        loop {
            let mut line = Vec::new();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&line);
            let size =
                text.trim_end().strip_suffix('}').and_then(|text| text.rsplit_once('{')).map(|(_, n)| n);
            let Some(Ok(bytes)) = size.map(|n| n.trim_end_matches('+').parse::<usize>()) else {
                frame.texts.push(line);
                return Ok(Some(frame));
            };
            if size.is_some_and(|n| !n.ends_with('+')) {
                go_on()?;
            }
            let at = line.iter().rposition(|b| *b == b'{').unwrap();
            line.truncate(at);
            let mut literal = vec![0; bytes];
            from.read_exact(&mut literal)?;
            frame.texts.push(line);
            frame.literals.push(literal);
        }
    }

    fn text(&self) -> String {
        self.texts.iter().map(|text| String::from_utf8_lossy(text)).collect::<Vec<_>>().join("{}")
    }

    fn bytes(&self, plus: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for (n, text) in self.texts.iter().enumerate() {
            out.extend(text);
            if let Some(literal) = self.literals.get(n) {
                out.extend(format!("{{{}{plus}}}\r\n", literal.len()).into_bytes());
                out.extend(literal);
            }
        }
        out
    }
}

/// The command's words and the folder it names, if it names one.
fn understood(text: &str) -> (String, Option<String>) {
    let mut words = text.split_whitespace().skip(1);
    let mut verb = words.next().unwrap_or_default().to_uppercase();
    if verb == "UID" {
        verb = format!("UID {}", words.next().unwrap_or_default().to_uppercase());
    }
    let names = ["APPEND", "SELECT", "CREATE", "DELETE"].contains(&verb.as_str());
    let folder = words.next().filter(|_| names).map(|word| word.trim_matches('"').to_owned());
    (verb, folder)
}

fn converse(
    mut client: TcpStream,
    server: u16,
    rule: &Mutex<Rule>,
    said: &Mutex<Vec<String>>,
) -> Result<(), Error> {
    let mut from_client = BufReader::new(client.try_clone()?);
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    let mut from_server = BufReader::new(server.try_clone()?);
    let mut selected = String::new();
    let Some(greeting) = Frame::read(&mut from_server, || Ok(()))? else { return Ok(()) };
    client.write_all(&kept_back(&greeting))?;
    loop {
        let mut asks = client.try_clone()?;
        let Some(mut command) = Frame::read(&mut from_client, || asks.write_all(b"+ go on\r\n"))? else {
            return Ok(());
        };
        let text = command.text();
        let tag = text.split_whitespace().next().unwrap_or_default().to_owned();
        let (verb, named) = understood(&text);
        said.lock()
            .unwrap()
            .push(text.split_once(' ').map(|(_, rest)| rest.trim_end().to_owned()).unwrap_or_default());
        let is_append = verb == "APPEND";
        let message =
            if is_append { command.literals.last().cloned().unwrap_or_default() } else { Vec::new() };
        let folder = named.clone().unwrap_or_else(|| selected.clone());
        let mut seen = Seen { when: When::Asked, verb, folder, message };
        let deed = rule.lock().unwrap()(&seen);
        match deed {
            Deed::Pass => {}
            Deed::Swap(other) => *command.literals.last_mut().unwrap() = other,
            Deed::Swallow => {
                client.write_all(format!("{tag} OK done\r\n").as_bytes())?;
                continue;
            }
            Deed::Cut => return Ok(()),
        }
        server.write_all(&command.bytes("+"))?;
        if seen.verb == "SELECT" {
            selected = named.unwrap_or_default();
        }
        loop {
            let Some(mut answer) = Frame::read(&mut from_server, || Ok(()))? else { return Ok(()) };
            let first = answer.text();
            if first.starts_with(&format!("{tag} ")) {
                seen.when = When::Done;
                if matches!(rule.lock().unwrap()(&seen), Deed::Cut) {
                    return Ok(());
                }
                client.write_all(&kept_back(&answer))?;
                break;
            }
            if let (true, Some(handed)) = (first.contains("BODY["), answer.literals.last_mut()) {
                let on_its_way = Seen { when: When::Handed, message: handed.clone(), ..seen.clone() };
                let deed = rule.lock().unwrap()(&on_its_way);
                match deed {
                    Deed::Swap(other) => *handed = other,
                    Deed::Swallow => continue,
                    Deed::Cut => return Ok(()),
                    Deed::Pass => {}
                }
            }
            client.write_all(&kept_back(&answer))?;
        }
    }
}

/// An answer as the program gets it.
fn kept_back(answer: &Frame) -> Vec<u8> {
    let bytes = answer.bytes("");
    if !answer.literals.is_empty() || !answer.text().contains("CAPABILITY") {
        return bytes;
    }
    let mut text = answer.text();
    for word in KEPT_BACK {
        for end in [" ", "]", "\r\n"] {
            text = text.replace(&format!(" {word}{end}"), end);
        }
    }
    text.into_bytes()
}
