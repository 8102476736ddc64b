//! Opening a folder, and looking for messages in it.

use super::ImapError;
use super::command::Command;
use super::response::{self, Code, Response, Status};
use super::session::{Done, Session};
use crate::mail::ids::{ModSeq, Uid, UidValidity};

/// A folder that was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// The generation of its UIDs. If it is another than before, all UIDs known before mean nothing any more.
    pub uid_validity: Option<UidValidity>,
    /// The UID that the next message will have, at least.
    pub uid_next: Option<Uid>,
    /// How many messages are in it.
    pub exists: u32,
    /// Its change counter (RFC 7162); `None` where the server keeps none.
    pub highest_modseq: Option<ModSeq>,
    /// Whether the owner's tags can be kept as keywords.
    pub allows_keywords: bool,
    /// Whether nothing can be changed.
    pub read_only: bool,
}

impl Session {
    /// Opens a folder by its raw name.
    ///
    /// # Errors
    /// If the folder is not there (`No` with `NONEXISTENT` or no code), or the connection is gone.
    pub async fn select(&mut self, raw_name: &str) -> Result<Selected, ImapError> {
        let command = Command::new("SELECT ").text(raw_name)?;
        let command = if self.counts_changes() { command.raw(" (CONDSTORE)") } else { command };
        let done = self.run(command).await?;
        self.news = false;
        Ok(understand(done))
    }

    /// The UIDs of all messages in the open folder, ascending.
    ///
    /// # Errors
    /// If the server does not tell.
    pub async fn uids(&mut self) -> Result<Vec<Uid>, ImapError> {
        self.search(Command::new("UID SEARCH ALL")).await
    }

    /// The messages in the open folder that have this Message-ID header, with or without its angle brackets.
    ///
    /// # Errors
    /// If the server does not tell.
    pub async fn find_message_id(&mut self, id: &str) -> Result<Vec<Uid>, ImapError> {
        self.search(Command::new("UID SEARCH HEADER Message-ID ").text(id)?).await
    }

    /// The messages in the open folder that have a header field of this name.
    ///
    /// # Errors
    /// If the server does not tell.
    pub async fn find_field(&mut self, name: &str) -> Result<Vec<Uid>, ImapError> {
        self.search(Command::new("UID SEARCH HEADER ").text(name)?.raw(" \"\"")).await
    }

    /// The messages in the open folder that have a header field of this name and came since a day, in UTC seconds.
    ///
    /// # Errors
    /// If the server does not tell.
    pub async fn find_field_since(&mut self, name: &str, since: i64) -> Result<Vec<Uid>, ImapError> {
        let day = jiff::Timestamp::from_second(since).unwrap_or_default().strftime("%d-%b-%Y").to_string();
        let command = Command::new("UID SEARCH SINCE ").raw(&day).raw(" HEADER ").text(name)?;
        self.search(command.raw(" \"\"")).await
    }

    async fn search(&mut self, command: Command) -> Result<Vec<Uid>, ImapError> {
        let mut uids = Vec::new();
        let mut room = self.room();
        self.run_each(command, |response| {
            let weight = response.weight();
            if let Response::Search(found) = response
                && room.takes(weight)
            {
                uids.extend(found);
            }
        })
        .await?;
        self.fits(&room)?;
        uids.sort_unstable();
        uids.dedup();
        Ok(uids)
    }
}

fn understand(done: Done) -> Selected {
    let mut selected = Selected { allows_keywords: true, ..Selected::default() };
    if let Some(code) = &done.code {
        selected.read_only = code.name == "READ-ONLY";
    }
    for response in done.untagged {
        match response {
            Response::Exists(count) => selected.exists = count,
            Response::Status { status: Status::Ok, code: Some(code), .. } => note(&mut selected, &code),
            _ => {}
        }
    }
    selected
}

fn note(selected: &mut Selected, code: &Code) {
    let number = || code.rest.trim().parse::<u64>().ok();
    let short = || number().and_then(|number| u32::try_from(number).ok());
    match code.name.as_str() {
        "UIDVALIDITY" => selected.uid_validity = short().map(UidValidity),
        "UIDNEXT" => selected.uid_next = short().map(Uid),
        "HIGHESTMODSEQ" => selected.highest_modseq = number().filter(|&number| number > 0).map(ModSeq),
        "PERMANENTFLAGS" => selected.allows_keywords = code.rest.contains("\\*"),
        _ => {}
    }
}

/// Reads the two sets of `COPYUID validity from to`, paired up. Sets that do not match each other pair nothing.
pub(super) fn copied(code: &Code) -> Vec<(Uid, Uid)> {
    let mut parts = code.rest.split_ascii_whitespace().skip(1);
    let mut set = || {
        let ranges = response::uid_ranges(parts.next()?.as_bytes())?;
        let count: u64 = ranges.iter().map(|range| u64::from(range.last.0 - range.first.0) + 1).sum();
        // As many as one command can name, and no more.
        (count <= 1_000_000).then(|| -> Vec<Uid> {
            ranges.iter().flat_map(|range| (range.first.0..=range.last.0).map(Uid)).collect()
        })
    };
    match (set(), set()) {
        (Some(from), Some(to)) if from.len() == to.len() => from.into_iter().zip(to).collect(),
        _ => Vec::new(),
    }
}
