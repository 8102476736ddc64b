//! One attempt to hand a message to the owner's submission server (RFC 6409, 5321), with an outcome for each recipient.
//!
//! It never sends a password in clear unless the owner chose so, tells the server nothing about this machine, and
//! says `Unknown` where nobody can know: the connection broke after the last dot and before the answer.

use std::time::Duration;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::dialer::{DialError, Dialer, Purpose, Security};
use super::wire::{Wire, WireError, words};
use crate::crypto::secret::SecretText;

/// RFC 5321 §4.5.3.2: ten minutes for the answer to the last dot, five for the others.
const FINAL_ANSWER: Duration = Duration::from_secs(600);
const ANSWER: Duration = Duration::from_secs(300);
/// The longest line and the most lines of a reply.
const LONGEST_LINE: usize = 4096;
const MOST_LINES: usize = 200;
/// Says nothing about this machine: its name and its address are nobody's business.
const OUR_NAME: &str = "[127.0.0.1]";

/// A submission server, and as whom to use it.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The name the server knows the owner by. Empty where it wants no login.
    pub user: String,
    /// Their password.
    pub password: SecretText,
    /// A CA for this account alone, in PEM form.
    pub ca: Option<Vec<u8>>,
    /// Whether it is reached through Tor alone.
    pub by_tor: bool,
}

/// What became of the message for one recipient. The words are the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server took it.
    Accepted(String),
    /// Not now; the same may work later. Nothing was delivered.
    Temporary(String),
    /// Never. Nothing was delivered.
    Permanent(String),
    /// The server has the whole message and did not say what it did with it. Sending it again may deliver it twice.
    Unknown(String),
}

/// Why nothing at all was sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// There is no connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The name or the password is wrong, or the server lets nobody in.
    #[error("{host} refused the login: {words}. Check the user name and the password.")]
    Refused {
        /// The server.
        host: String,
        /// What it said.
        words: String,
        /// Whether it said that it may work later.
        temporary: bool,
    },
    /// The connection cannot be made secure, so no password was sent.
    #[error(
        "{host} offers no encryption (STARTTLS), so nothing was sent. Choose tls if the server has a port for it."
    )]
    NoTls {
        /// The server.
        host: String,
    },
    /// The server knows no way to log in that we know.
    #[error("{host} allows no login by password here. Choose tls or starttls, or ask the provider.")]
    NoLogin {
        /// The server.
        host: String,
    },
    /// The server wants nothing to do with us, before it knew who we are.
    #[error("{host} turned us away: {words}.")]
    TurnedAway {
        /// The server.
        host: String,
        /// What it said.
        words: String,
        /// Whether it said that it may work later.
        temporary: bool,
    },
    /// The connection broke.
    #[error("The connection to {host} was lost before anything was sent. It will be tried again.")]
    Lost {
        /// The server.
        host: String,
    },
    /// The server says nothing more.
    #[error("{host} stopped answering before anything was sent. It will be tried again.")]
    TimedOut {
        /// The server.
        host: String,
    },
    /// The server does not keep to the protocol.
    #[error("{host} does not answer like a mail server. Check the name and the port.")]
    Protocol {
        /// The server.
        host: String,
    },
}

impl SubmitError {
    /// Whether the same may work later without anybody doing anything.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Dial(error) => error.is_temporary(),
            Self::Refused { temporary, .. } | Self::TurnedAway { temporary, .. } => *temporary,
            Self::Lost { .. } | Self::TimedOut { .. } => true,
            Self::NoTls { .. } | Self::NoLogin { .. } | Self::Protocol { .. } => false,
        }
    }
}

/// Tries once to send a message, and says what became of it for each recipient, in the order given.
///
/// Lines are sent with CRLF at their ends, whatever ends them here; otherwise not a byte is changed.
///
/// `hand_over` is called once the server has everything but the last dot: from its return on the message may be
/// delivered, before it cannot be. Where it gives false, nothing is delivered.
///
/// # Errors
/// If nothing was sent to anybody: no connection, no security, no login.
pub async fn submit(
    dialer: &Dialer,
    submission: &Submission,
    from: &str,
    recipients: &[String],
    message: &[u8],
    hand_over: impl AsyncFnOnce() -> bool,
) -> Result<Vec<(String, Outcome)>, SubmitError> {
    let mut connection = Connection::open(dialer, submission, Purpose::Submission).await?;
    connection.log_in(submission).await?;
    let outcomes = connection.transact(from, recipients, message, hand_over).await;
    connection.quit().await;
    Ok(recipients.iter().cloned().zip(outcomes).collect())
}

/// Logs in for real and sends nothing.
///
/// # Errors
/// If the login does not work.
pub async fn check(dialer: &Dialer, submission: &Submission) -> Result<(), SubmitError> {
    let mut connection = Connection::open(dialer, submission, Purpose::Submission).await?;
    connection.log_in(submission).await?;
    connection.quit().await;
    Ok(())
}

/// A reply: its number, and its text by lines.
#[derive(Debug)]
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    const fn is_ok(&self) -> bool {
        self.code / 100 == 2
    }

    const fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    fn words(&self) -> String {
        words(format!("{} {}", self.code, self.lines.join(" ")).as_bytes())
    }

    /// What it means for a recipient when the server said no.
    fn refusal(&self) -> Outcome {
        if self.is_temporary() {
            Outcome::Temporary(self.words())
        } else if self.code / 100 == 5 {
            Outcome::Permanent(self.words())
        } else {
            Outcome::Temporary(format!("The server's answer makes no sense: {}", self.words()))
        }
    }
}

/// What a server says it can do.
#[derive(Debug, Default)]
struct Abilities {
    start_tls: bool,
    eight_bit: bool,
    utf8: bool,
    /// 0 is no limit.
    size: u64,
    sizes: bool,
    auth: Vec<String>,
}

impl Abilities {
    fn read(lines: &[String]) -> Self {
        let mut abilities = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.to_ascii_uppercase().replace('=', " ");
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STARTTLS") => abilities.start_tls = true,
                Some("8BITMIME") => abilities.eight_bit = true,
                Some("SMTPUTF8") => abilities.utf8 = true,
                Some("AUTH") => abilities.auth.extend(words.map(Into::into)),
                Some("SIZE") => {
                    abilities.sizes = true;
                    abilities.size = words.next().and_then(|size| size.parse().ok()).unwrap_or(0);
                }
                _ => {}
            }
        }
        abilities
    }

    fn allows(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|its| its == mechanism)
    }
}

struct Connection {
    wire: Wire,
    host: String,
    can: Abilities,
}

impl Connection {
    async fn open(dialer: &Dialer, submission: &Submission, purpose: Purpose) -> Result<Self, SubmitError> {
        let Submission { host, port, security, ca, by_tor, .. } = submission;
        let dialer = dialer.through_tor(*by_tor);
        let stream = dialer.connect(purpose, host, *port, *security, ca.as_deref()).await?;
        Self::begin(Wire::new(stream, Duration::from_secs(60)), host, *security).await
    }

    /// From the greeting to the point where one may log in.
    async fn begin(wire: Wire, host: &str, security: Security) -> Result<Self, SubmitError> {
        let mut connection = Self { wire, host: host.to_owned(), can: Abilities::default() };
        let greeting = connection.answer().await?;
        connection.welcome(&greeting)?;
        connection.hello().await?;
        if security == Security::StartTls {
            let refused = !connection.can.start_tls || !connection.ask("STARTTLS\r\n").await?.is_ok();
            if refused {
                return Err(SubmitError::NoTls { host: connection.host });
            }
            // What was said in clear counts no longer.
            connection.can = Abilities::default();
            connection.wire = connection.wire.upgrade().await?;
            connection.hello().await?;
        }
        connection.wire.silence = ANSWER;
        Ok(connection)
    }

    async fn hello(&mut self) -> Result<(), SubmitError> {
        let reply = self.ask(&format!("EHLO {OUR_NAME}\r\n")).await?;
        self.welcome(&reply)?;
        self.can = Abilities::read(&reply.lines);
        Ok(())
    }

    fn welcome(&self, reply: &Reply) -> Result<(), SubmitError> {
        if reply.is_ok() {
            return Ok(());
        }
        let words = reply.words().trim_end_matches('.').to_owned();
        Err(SubmitError::TurnedAway { host: self.host.clone(), words, temporary: reply.is_temporary() })
    }

    async fn log_in(&mut self, submission: &Submission) -> Result<(), SubmitError> {
        if submission.user.is_empty() {
            return Ok(());
        }
        let password = submission.password.expose();
        let reply = if self.can.allows("PLAIN") {
            let both = Zeroizing::new(format!("\0{}\0{password}", submission.user));
            let line = Zeroizing::new(format!("AUTH PLAIN {}\r\n", BASE64.encode(both.as_bytes())));
            self.ask(&line).await?
        } else if self.can.allows("LOGIN") {
            self.challenged(&submission.user, password).await?
        } else {
            return Err(SubmitError::NoLogin { host: self.host.clone() });
        };
        if reply.code == 235 {
            return Ok(());
        }
        let words = reply.words().trim_end_matches('.').to_owned();
        Err(SubmitError::Refused { host: self.host.clone(), words, temporary: reply.is_temporary() })
    }

    /// The old LOGIN mechanism: it asks for the name, then for the password.
    async fn challenged(&mut self, user: &str, password: &str) -> Result<Reply, SubmitError> {
        let mut reply = self.ask("AUTH LOGIN\r\n").await?;
        for secret in [user, password] {
            if reply.code != 334 {
                break;
            }
            let line = Zeroizing::new(format!("{}\r\n", BASE64.encode(secret.as_bytes())));
            reply = self.ask(&line).await?;
        }
        Ok(reply)
    }

    /// From MAIL FROM to the answer after the last dot.
    async fn transact(
        &mut self,
        from: &str,
        recipients: &[String],
        message: &[u8],
        hand_over: impl AsyncFnOnce() -> bool,
    ) -> Vec<Outcome> {
        let everybody = |outcome: Outcome| vec![outcome; recipients.len()];
        let parameters = match self.parameters(from, recipients, message) {
            Ok(parameters) => parameters,
            Err(outcome) => return everybody(outcome),
        };
        let Some(sender) = path(from) else {
            return everybody(Outcome::Permanent(format!("{from:?} is no address to send from.")));
        };
        match self.ask(&format!("MAIL FROM:<{sender}>{parameters}\r\n")).await {
            Ok(reply) if reply.is_ok() => {}
            Ok(reply) => return everybody(reply.refusal()),
            Err(error) => return everybody(Outcome::Temporary(error.to_string())),
        }
        let mut outcomes = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            match self.recipient(recipient).await {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    // The transaction is gone, and with it those who were accepted already.
                    outcomes.resize(recipients.len(), None);
                    let lost = Outcome::Temporary(error.to_string());
                    return outcomes.into_iter().map(|its| its.unwrap_or_else(|| lost.clone())).collect();
                }
            }
        }
        if outcomes.iter().any(Option::is_none) {
            let outcome = self.data(message, hand_over).await;
            return outcomes.into_iter().map(|its| its.unwrap_or_else(|| outcome.clone())).collect();
        }
        outcomes.into_iter().flatten().collect()
    }

    /// `None` is yes.
    async fn recipient(&mut self, recipient: &str) -> Result<Option<Outcome>, SubmitError> {
        let Some(path) = path(recipient).filter(|path| !path.is_empty()) else {
            return Ok(Some(Outcome::Permanent(format!("{recipient:?} is no address."))));
        };
        let reply = self.ask(&format!("RCPT TO:<{path}>\r\n")).await?;
        Ok(if reply.is_ok() { None } else { Some(reply.refusal()) })
    }

    /// The parameters of MAIL FROM, or why this server can never take this message.
    fn parameters(&self, from: &str, recipients: &[String], message: &[u8]) -> Result<String, Outcome> {
        let mut parameters = String::new();
        let bytes = message.len() as u64;
        if self.can.sizes {
            if self.can.size != 0 && bytes > self.can.size {
                let (ours, theirs) = (megabytes(bytes), megabytes(self.can.size));
                let words =
                    format!("The message has {ours} MB, and {} takes no more than {theirs}.", self.host);
                return Err(Outcome::Permanent(words));
            }
            parameters.push_str(&format!(" SIZE={bytes}"));
        }
        if !message.is_ascii() {
            if !self.can.eight_bit {
                let words = format!("{} takes no 8-bit text, and the message holds some.", self.host);
                return Err(Outcome::Permanent(words));
            }
            parameters.push_str(" BODY=8BITMIME");
        }
        let addresses = std::iter::once(from).chain(recipients.iter().map(String::as_str));
        if !addresses.filter_map(path).all(|path| path.is_ascii()) {
            if !self.can.utf8 {
                let words = format!("{} takes no addresses beyond plain letters (SMTPUTF8).", self.host);
                return Err(Outcome::Permanent(words));
            }
            parameters.push_str(" SMTPUTF8");
        }
        Ok(parameters)
    }

    async fn data(&mut self, message: &[u8], hand_over: impl AsyncFnOnce() -> bool) -> Outcome {
        match self.ask("DATA\r\n").await {
            Ok(reply) if reply.code == 354 => {}
            // A yes where only "go on" makes sense: whatever follows would be read as commands.
            Ok(reply) if reply.is_ok() => return Outcome::Temporary(reply.words()),
            Ok(reply) => return reply.refusal(),
            Err(error) => return Outcome::Temporary(error.to_string()),
        }
        for chunk in Stuffed::new(message) {
            if self.wire.send(&chunk).await.is_err() {
                return self.broken_off().await;
            }
        }
        if !hand_over().await {
            return Outcome::Temporary(
                "The message was not handed over: this could not be noted down first.".into(),
            );
        }
        // From here on the server may have the whole message.
        let unknown = |why: &str| Outcome::Unknown(format!("The message was handed over, but {}", why));
        if self.wire.send(b".\r\n").await.is_err() {
            return unknown("the connection broke before the server confirmed it.");
        }
        self.wire.silence = FINAL_ANSWER;
        match self.answer().await {
            Ok(reply) if reply.is_ok() => Outcome::Accepted(reply.words()),
            Ok(reply) if matches!(reply.code / 100, 4 | 5) => reply.refusal(),
            Ok(reply) => unknown(&format!("the server's answer makes no sense: {}", reply.words())),
            Err(SubmitError::TimedOut { .. }) => unknown("the server never confirmed it."),
            Err(SubmitError::Protocol { .. }) => unknown("the server's answer makes no sense."),
            Err(_) => unknown("the connection broke before the server confirmed it."),
        }
    }

    /// The server closed in the middle of the message, which it cannot have delivered; perhaps it said why.
    async fn broken_off(&mut self) -> Outcome {
        self.wire.silence = Duration::from_secs(5);
        match self.answer().await {
            Ok(reply) if !reply.is_ok() => reply.refusal(),
            _ => Outcome::Temporary("The connection broke in the middle of the message.".into()),
        }
    }

    async fn quit(mut self) {
        self.wire.silence = Duration::from_secs(2);
        if let Err(error) = self.ask("QUIT\r\n").await {
            tracing::debug!(%error, "A submission server did not say goodbye");
        }
        self.wire.close().await;
    }

    async fn ask(&mut self, line: &str) -> Result<Reply, SubmitError> {
        self.wire.send(line.as_bytes()).await.map_err(|error| self.broken(error))?;
        self.answer().await
    }

    /// Reads one reply, of one line or several.
    async fn answer(&mut self) -> Result<Reply, SubmitError> {
        let mut lines = Vec::new();
        for _ in 0..MOST_LINES {
            let line = self.wire.line(LONGEST_LINE).await.map_err(|error| self.broken(error))?;
            let Some((code, last, text)) = reply_line(&line) else {
                return Err(SubmitError::Protocol { host: self.host.clone() });
            };
            lines.push(text);
            if last {
                return Ok(Reply { code, lines });
            }
        }
        Err(SubmitError::Protocol { host: self.host.clone() })
    }

    fn broken(&self, error: WireError) -> SubmitError {
        let host = self.host.clone();
        match error {
            WireError::Closed => SubmitError::Lost { host },
            WireError::TimedOut => SubmitError::TimedOut { host },
            WireError::TooLong => SubmitError::Protocol { host },
        }
    }
}

/// One line of a reply: its number, whether it is the last, its text.
fn reply_line(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let text = words(rest.get(1..).unwrap_or_default());
    match rest.first() {
        None | Some(b' ') => Some((code, true, text)),
        Some(b'-') => Some((code, false, text)),
        Some(_) => None,
    }
    .filter(|(code, ..)| (200..600).contains(code))
}

const fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

/// An address as it stands between angle brackets, the domain in ASCII where that can be; `None` if it would say
/// more than an address.
fn path(address: &str) -> Option<String> {
    if address.is_empty() {
        return Some(String::new());
    }
    let (local, domain) = address.rsplit_once('@')?;
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let harmless = |c: char| !c.is_control() && c != '<' && c != '>';
    let local_ok = !local.is_empty()
        && local.chars().all(|c| harmless(c) && (quoted || (c != ' ' && c != '"' && c != '\\')));
    let domain = if domain.is_ascii() { domain.to_owned() } else { idna::domain_to_ascii(domain).ok()? };
    let domain_ok =
        !domain.is_empty() && domain.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b));
    (local_ok && domain_ok && local.len() + domain.len() < 500).then(|| format!("{local}@{domain}"))
}

/// A message on its way: CRLF at each line's end, a dot before each dot that begins a line (RFC 5321 §4.5.2).
struct Stuffed<'a> {
    rest: &'a [u8],
    at_line_start: bool,
    ended: bool,
}

impl<'a> Stuffed<'a> {
    const fn new(message: &'a [u8]) -> Self {
        Self { rest: message, at_line_start: true, ended: false }
    }
}

impl Iterator for Stuffed<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        const CHUNK_BYTES: usize = 64 << 10;
        if self.rest.is_empty() {
            let open = !self.at_line_start && !self.ended;
            self.ended = true;
            return open.then(|| b"\r\n".to_vec());
        }
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + 3);
        while let Some((&byte, rest)) = self.rest.split_first()
            && chunk.len() < CHUNK_BYTES
        {
            self.rest = rest;
            match byte {
                b'\r' | b'\n' => {
                    if byte == b'\r' {
                        self.rest = rest.strip_prefix(b"\n").unwrap_or(rest);
                    }
                    chunk.extend_from_slice(b"\r\n");
                    self.at_line_start = true;
                }
                b'.' if self.at_line_start => {
                    chunk.extend_from_slice(b"..");
                    self.at_line_start = false;
                }
                other => {
                    chunk.push(other);
                    self.at_line_start = false;
                }
            }
        }
        Some(chunk)
    }
}

/// Whether a submission server answers there and can be reached securely. No name is told, no login tried.
pub(super) async fn greets(dialer: &Dialer, host: &str, port: u16, security: Security) -> bool {
    let Ok(stream) = dialer.connect_public(Purpose::Autoconfig, host, port, security).await else {
        return false;
    };
    match Connection::begin(Wire::new(stream, Duration::from_secs(8)), host, security).await {
        Ok(connection) => {
            connection.quit().await;
            true
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
