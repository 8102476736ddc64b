//! The conversation itself: a command goes out, responses come in, until the tagged one.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::command::{Command, Piece};
use super::response::{self, Code, Frame, Response, Status};
use super::{ImapError, Limits};
use crate::network::wire::{Wire, WireError};

/// The longest line there is: a search that finds every message of a very large folder.
const LONGEST_LINE: usize = 16 << 20;
/// How many literals one response may hold.
const MOST_LITERALS: usize = 64;
/// The largest literal where no message was asked for.
const SMALL_LITERAL: u64 = 64 << 10;

/// A logged-in connection to an IMAP server.
pub struct Session {
    pub(super) wire: Wire,
    pub(super) host: String,
    pub(super) limits: Limits,
    pub(super) capabilities: HashSet<String>,
    /// Something changed in the selected folder that nobody has looked at.
    pub(super) news: bool,
    /// A literal larger than this ends the connection.
    pub(super) literal_limit: u64,
    /// How many bytes the command that is underway may still bring.
    left: u64,
    next_tag: u32,
    /// A command has begun and its end was not seen.
    underway: bool,
    farewell: Option<String>,
}

/// The good end of a command.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) untagged: Vec<Response>,
    pub(super) code: Option<Code>,
}

/// How much may still be kept of what a command brings.
#[derive(Debug)]
pub(super) struct Room {
    left: usize,
    over: bool,
}

impl Room {
    const fn new(bytes: usize) -> Self {
        Self { left: bytes, over: false }
    }

    /// Whether there is room for this much more; once there was not, there is none.
    pub(super) fn takes(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes).filter(|_| !self.over) {
            Some(left) => self.left = left,
            None => self.over = true,
        }
        !self.over
    }
}

impl Session {
    pub(super) fn new(wire: Wire, host: String, limits: Limits) -> Self {
        Self {
            wire,
            host,
            left: limits.response_bytes,
            limits,
            capabilities: HashSet::new(),
            news: false,
            literal_limit: SMALL_LITERAL,
            next_tag: 0,
            underway: false,
            farewell: None,
        }
    }

    /// Whether the server offers something, by its name in capitals.
    #[must_use]
    pub fn offers(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// Says goodbye.
    pub async fn logout(mut self) {
        self.wire.silence = Duration::from_secs(5);
        if let Err(error) = self.run(Command::new("LOGOUT")).await {
            tracing::debug!(%error, "A server did not say goodbye");
        }
        self.wire.close().await;
    }

    /// Runs a command and gives what came before its end. What a server tells of single messages on the way is not kept:
    /// whoever asks for that takes it as it comes.
    pub(super) async fn run(&mut self, command: Command) -> Result<Done, ImapError> {
        let mut untagged = Vec::new();
        let mut room = Room::new(self.limits.kept_bytes);
        let mut done = self
            .run_each(command, |response| {
                if response.is_about_the_session() && room.takes(response.weight()) {
                    untagged.push(response);
                }
            })
            .await?;
        self.fits(&room)?;
        done.untagged = untagged;
        Ok(done)
    }

    /// Room for what is kept until a command has ended.
    pub(super) const fn room(&self) -> Room {
        Room::new(self.limits.kept_bytes)
    }

    /// An answer of which something had to be left out is no answer.
    pub(super) fn fits(&self, room: &Room) -> Result<(), ImapError> {
        if room.over { Err(self.protocol("it says far too much")) } else { Ok(()) }
    }

    /// Runs a command and hands over each response as it comes.
    pub(super) async fn run_each(
        &mut self,
        command: Command,
        mut each: impl FnMut(Response),
    ) -> Result<Done, ImapError> {
        let deadline = Instant::now() + self.limits.command;
        let tag = self.begin(command, &mut each).await?;
        self.finish(&tag, deadline, each).await
    }

    /// Sends a command, with its literals as the server wants them.
    pub(super) async fn begin(
        &mut self,
        command: Command,
        each: &mut impl FnMut(Response),
    ) -> Result<String, ImapError> {
        if self.underway {
            return Err(self.lost("an earlier command was broken off"));
        }
        self.underway = true;
        self.left = self.limits.response_bytes;
        self.next_tag += 1;
        let tag = format!("A{}", self.next_tag);
        let mut out = Zeroizing::new(format!("{tag} ").into_bytes());
        for piece in command.pieces {
            match piece {
                Piece::Plain(plain) => out.extend_from_slice(&plain),
                Piece::Literal(data) => {
                    let at_once = self.offers("LITERAL+") || (self.offers("LITERAL-") && data.len() <= 4096);
                    let plus = if at_once { "+" } else { "" };
                    out.extend_from_slice(format!("{{{}{plus}}}\r\n", data.len()).as_bytes());
                    self.send(&out).await?;
                    out.clear();
                    if !at_once {
                        self.await_continuation(&tag, each).await?;
                    }
                    self.send(&data).await?;
                }
            }
        }
        out.extend_from_slice(b"\r\n");
        self.send(&out).await?;
        Ok(tag)
    }

    /// Waits for the server's "go on"; a tagged answer instead is a no.
    pub(super) async fn await_continuation(
        &mut self,
        tag: &str,
        each: &mut impl FnMut(Response),
    ) -> Result<String, ImapError> {
        for _ in 0..self.limits.responses {
            match self.next().await? {
                Response::Continue(words) => return Ok(words),
                Response::Tagged { tag: its, status, code, words } if its == tag => {
                    if status == Status::Ok {
                        return Err(self.protocol("it says done where it had to say go on"));
                    }
                    self.underway = false;
                    return Err(self.refusal(status, code, words));
                }
                other => each(other),
            }
        }
        Err(self.protocol("it never stops talking"))
    }

    /// Reads on until the command has ended.
    pub(super) async fn finish(
        &mut self,
        tag: &str,
        deadline: Instant,
        mut each: impl FnMut(Response),
    ) -> Result<Done, ImapError> {
        for _ in 0..self.limits.responses {
            if Instant::now() > deadline {
                return Err(ImapError::TimedOut { host: self.host.clone() });
            }
            match self.next().await? {
                Response::Tagged { tag: its, status, code, words } if its == tag => {
                    self.underway = false;
                    self.learn(code.as_ref());
                    return match status {
                        Status::Ok => Ok(Done { untagged: Vec::new(), code }),
                        _ => Err(self.refusal(status, code, words)),
                    };
                }
                other => each(other),
            }
        }
        Err(self.protocol("it never stops talking"))
    }

    /// Sends bytes inside a command: the answer to a challenge, the end of IDLE.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), ImapError> {
        let sent = self.wire.send(bytes).await;
        sent.map_err(|error| self.broken(error))
    }

    /// The next response, after what it says about the session was noted.
    pub(super) async fn next(&mut self) -> Result<Response, ImapError> {
        let frame = self.frame().await?;
        let response = Response::parse(frame);
        match &response {
            Response::Capability(list) => self.capabilities = list.iter().cloned().collect(),
            Response::Status { status: Status::Bye, words, .. } => self.farewell = Some(words.clone()),
            Response::Status { code, .. } => self.learn(code.as_ref()),
            Response::Exists(_) | Response::Expunge => self.news = true,
            _ => {}
        }
        Ok(response)
    }

    fn learn(&mut self, code: Option<&Code>) {
        if let Some(code) = code.filter(|code| code.name == "CAPABILITY") {
            self.capabilities = response::capitals(code.rest.as_bytes()).into_iter().collect();
        }
    }

    async fn frame(&mut self) -> Result<Frame, ImapError> {
        let mut frame = Frame::default();
        let mut budget = LONGEST_LINE;
        // One large literal at most, the body of a message, and small ones beside it.
        let mut literals = self.literal_limit.saturating_add(SMALL_LITERAL);
        loop {
            let line = self.wire.line(budget).await;
            let mut line = line.map_err(|error| self.broken(error))?;
            self.spend(line.len() as u64 + 2)?;
            budget = budget.saturating_sub(line.len()).max(1);
            let first = frame.lines.first().unwrap_or(&line);
            let size = response::literal_size(&line).filter(|_| response::may_hold_literals(first));
            let Some(size) = size else {
                frame.lines.push(line);
                return Ok(frame);
            };
            let announcement = line.iter().rposition(|&byte| byte == b'{').unwrap_or(line.len());
            line.truncate(announcement);
            frame.lines.push(line);
            if size > self.literal_limit || size > literals || frame.literals.len() == MOST_LITERALS {
                return Err(self.oversized(&frame));
            }
            literals -= size;
            // Bodies that were asked for are handed over one by one, and bounded there.
            if self.literal_limit == SMALL_LITERAL {
                self.spend(size)?;
            }
            let bytes = self.wire.exact(usize::try_from(size).unwrap_or(usize::MAX)).await;
            frame.literals.push(bytes.map_err(|error| self.broken(error))?);
        }
    }

    fn spend(&mut self, bytes: u64) -> Result<(), ImapError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| self.protocol("it says far too much"))?;
        Ok(())
    }

    fn oversized(&self, frame: &Frame) -> ImapError {
        let first = frame.lines.first().map(Vec::as_slice).unwrap_or_default();
        let what = "it is far larger than the server said";
        if first.windows(7).any(|window| window == b" FETCH ") {
            let uid = response::uid_in(first);
            ImapError::UnreadableMessage { host: self.host.clone(), uid, what: what.into() }
        } else {
            self.protocol("a text in it is far too large")
        }
    }

    fn broken(&self, error: WireError) -> ImapError {
        match (error, &self.farewell) {
            (_, Some(words)) => self.lost(words),
            (WireError::Closed, None) => self.lost("it was closed in the middle"),
            (WireError::TimedOut, None) => ImapError::TimedOut { host: self.host.clone() },
            (WireError::TooLong, None) => self.protocol("a line has no end"),
        }
    }

    fn refusal(&self, status: Status, code: Option<Code>, words: String) -> ImapError {
        let code = if status == Status::Bad { Some("BAD".to_owned()) } else { code.map(|code| code.name) };
        ImapError::No { host: self.host.clone(), words, code }
    }

    pub(super) fn lost(&self, words: &str) -> ImapError {
        ImapError::Lost { host: self.host.clone(), words: words.trim_end_matches('.').to_owned() }
    }

    pub(super) fn protocol(&self, what: &str) -> ImapError {
        ImapError::Protocol { host: self.host.clone(), what: what.to_owned() }
    }

    /// Allows literals of this size until the next call.
    pub(super) fn allow_literals(&mut self, bytes: Option<u64>) {
        self.literal_limit = bytes.unwrap_or(0).max(SMALL_LITERAL);
    }

    /// Takes the wire out, to go on with it under TLS.
    pub(super) fn into_wire(self) -> Wire {
        self.wire
    }
}
