//! Flags both ways, moves and deletions.

use std::collections::HashSet;

use super::command::Command;
use super::response::{FetchItems, Response};
use super::session::Session;
use super::{ImapError, UidRange, names, select};
use crate::mail::ids::{ModSeq, Uid};

/// How many keywords of one message are looked at.
const MOST_KEYWORDS: usize = 200;

/// The flags of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "these are the five flags that IMAP has")]
pub struct Flags {
    /// It was read.
    pub seen: bool,
    /// It was answered.
    pub answered: bool,
    /// It was starred.
    pub flagged: bool,
    /// It is marked for deletion.
    pub deleted: bool,
    /// It is a draft.
    pub draft: bool,
    /// The others, as the server spells them, sorted.
    pub keywords: Vec<String>,
}

impl Flags {
    pub(super) fn from_words(words: Vec<String>) -> Self {
        let mut flags = Self::default();
        for word in words {
            match word.to_ascii_lowercase().as_str() {
                "\\seen" => flags.seen = true,
                "\\answered" => flags.answered = true,
                "\\flagged" => flags.flagged = true,
                "\\deleted" => flags.deleted = true,
                "\\draft" => flags.draft = true,
                other if other.starts_with('\\') => {}
                _ if flags.keywords.len() < MOST_KEYWORDS => flags.keywords.push(word),
                _ => {}
            }
        }
        flags.keywords.sort_unstable();
        flags.keywords.dedup();
        flags
    }

    /// About how many bytes they take in memory beside themselves.
    pub(super) fn weight(&self) -> usize {
        self.keywords.iter().map(|keyword| keyword.len() + 48).sum()
    }
}

/// A message's flags as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagState {
    /// Which message.
    pub uid: Uid,
    /// Its flags.
    pub flags: Flags,
    /// Its change counter, where the server keeps one.
    pub mod_seq: Option<ModSeq>,
}

impl FlagState {
    pub(super) fn from_items(items: FetchItems) -> Option<Self> {
        Some(Self { uid: items.uid?, flags: items.flags?, mod_seq: items.mod_seq })
    }
}

impl Session {
    /// The flags of messages, or only of those that changed since a position (where the server keeps count).
    ///
    /// # Errors
    /// If the server does not tell.
    pub async fn flags(
        &mut self,
        range: UidRange,
        changed_since: Option<ModSeq>,
    ) -> Result<Vec<FlagState>, ImapError> {
        let last = if range.last.0 == u32::MAX { "*".to_owned() } else { range.last.to_string() };
        let since = changed_since.filter(|_| self.counts_changes());
        let since = since.map(|since| format!(" (CHANGEDSINCE {since})")).unwrap_or_default();
        let command = Command::new(&format!("UID FETCH {}:{last} (UID FLAGS){since}", range.first));
        let mut states = Vec::new();
        let mut room = self.room();
        self.run_each(command, |response| {
            if let Response::Fetch(items) = response {
                // "9:*" is never empty: it gives the last message, whatever its number.
                let state = FlagState::from_items(items).filter(|state| range.contains(state.uid));
                states
                    .extend(state.filter(|state| room.takes(size_of::<FlagState>() + state.flags.weight())));
            }
        })
        .await?;
        self.fits(&room)?;
        Ok(states)
    }

    pub(super) fn counts_changes(&self) -> bool {
        self.offers("CONDSTORE") || self.offers("QRESYNC")
    }

    /// Adds and removes flags: `\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft` or keywords.
    ///
    /// # Errors
    /// If the server says no, or a word is no flag.
    pub async fn store(&mut self, uids: &[Uid], add: &[&str], remove: &[&str]) -> Result<(), ImapError> {
        for (sign, flags) in [('+', add), ('-', remove)] {
            if flags.is_empty() {
                continue;
            }
            if let Some(wrong) = flags.iter().find(|flag| !is_flag(flag)) {
                return Err(ImapError::NotSayable { what: format!("{wrong:?} is no flag") });
            }
            for set in names::uid_sets(uids) {
                let command =
                    Command::new(&format!("UID STORE {set} {sign}FLAGS.SILENT ({})", flags.join(" ")));
                self.run(command).await?;
            }
        }
        Ok(())
    }

    /// Whether [`Session::move_to`] works; where not, copy, note that, and delete.
    #[must_use]
    pub fn moves_in_one_step(&self) -> bool {
        self.offers("MOVE")
    }

    /// Whether [`Session::delete`] works.
    #[must_use]
    pub fn removes_single_messages(&self) -> bool {
        self.offers("UIDPLUS")
    }

    /// Moves messages to another folder (by its raw name); gives the UID of each here and there, where the server tells.
    ///
    /// # Errors
    /// If the server says no; `TRYCREATE` means that the folder has to be made first.
    pub async fn move_to(&mut self, uids: &[Uid], raw_name: &str) -> Result<Vec<(Uid, Uid)>, ImapError> {
        self.transfer("MOVE", uids, raw_name).await
    }

    /// Copies messages to another folder (by its raw name); gives the UID of each here and there, where the server tells.
    ///
    /// # Errors
    /// If the server says no; `TRYCREATE` means that the folder has to be made first.
    pub async fn copy_to(&mut self, uids: &[Uid], raw_name: &str) -> Result<Vec<(Uid, Uid)>, ImapError> {
        self.transfer("COPY", uids, raw_name).await
    }

    async fn transfer(
        &mut self,
        verb: &str,
        uids: &[Uid],
        raw_name: &str,
    ) -> Result<Vec<(Uid, Uid)>, ImapError> {
        let mut told = Vec::new();
        let asked: HashSet<Uid> = uids.iter().copied().collect();
        for set in names::uid_sets(uids) {
            let command = Command::new(&format!("UID {verb} {set} ")).text(raw_name)?;
            let done = self.run(command).await?;
            let remarks = done.untagged.into_iter().filter_map(|response| match response {
                Response::Status { code, .. } => code,
                _ => None,
            });
            let codes = remarks.chain(done.code).filter(|code| code.name == "COPYUID");
            told.extend(
                codes.flat_map(|code| select::copied(&code)).filter(|(from, _)| asked.contains(from)),
            );
        }
        Ok(told)
    }

    /// Marks messages in the open folder as deleted.
    ///
    /// # Errors
    /// If the server says no.
    pub async fn mark_deleted(&mut self, uids: &[Uid]) -> Result<(), ImapError> {
        self.store(uids, &["\\Deleted"], &[]).await
    }

    /// Removes messages from the open folder for ever. False means that the server can only mark them, and did: removing
    /// all that are marked might hit what somebody else marked.
    ///
    /// # Errors
    /// If the server says no.
    pub async fn delete(&mut self, uids: &[Uid]) -> Result<bool, ImapError> {
        self.mark_deleted(uids).await?;
        if !self.removes_single_messages() {
            return Ok(uids.is_empty());
        }
        for set in names::uid_sets(uids) {
            self.run(Command::new(&format!("UID EXPUNGE {set}"))).await?;
        }
        Ok(true)
    }
}

impl Session {
    /// Removes messages for ever from an open folder that is ours alone: where the server cannot remove single ones, it removes
    /// all that are marked.
    ///
    /// # Errors
    /// If the server says no.
    pub async fn delete_ours(&mut self, uids: &[Uid]) -> Result<(), ImapError> {
        if !uids.is_empty() && !self.delete(uids).await? {
            self.run(Command::new("EXPUNGE")).await?;
        }
        Ok(())
    }
}

pub(super) fn is_flag(flag: &str) -> bool {
    let system = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"];
    let atom = |flag: &str| {
        !flag.is_empty() && flag.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte))
    };
    system.contains(&flag) || atom(flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_flags() {
        let flags =
            Flags::from_words(["\\SEEN", "work", "\\Recent", "\\*", "work", "a"].map(Into::into).to_vec());
        assert_eq!(
            flags,
            Flags { seen: true, keywords: vec!["a".into(), "work".into()], ..Flags::default() }
        );
    }

    #[test]
    fn only_flags_are_flags() {
        for good in ["\\Seen", "$Forwarded", "to&ACA-do"] {
            assert!(is_flag(good));
        }
        for bad in ["", "\\Foo", "a b", "x)\r\nA1 LOGOUT", "größe", "\\*"] {
            assert!(!is_flag(bad), "{bad}");
        }
    }
}
