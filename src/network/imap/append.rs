//! Putting a message into a folder: the copy in Sent, a draft.

use jiff::Timestamp;

use super::command::Command;
use super::names;
use super::session::Session;
use super::{ImapError, Stored};
use crate::mail::ids::{Uid, UidValidity};

/// Where an appended message is, as far as the server tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The generation of the folder's UIDs, and the message's UID (RFC 4315).
    pub place: Option<Stored>,
}

impl Session {
    /// Puts a message into a folder (by its raw name), with flags such as `\Seen` and the time it is to show.
    ///
    /// If the connection is lost here, nobody knows whether the message is there: look with
    /// [`Session::find_message_id`] before trying again.
    ///
    /// # Errors
    /// If the server says no; `TRYCREATE` means that the folder has to be made first.
    pub async fn append(
        &mut self,
        raw_name: &str,
        raw: &[u8],
        flags: &[&str],
        internal_date: Option<Timestamp>,
    ) -> Result<Appended, ImapError> {
        if let Some(wrong) = flags.iter().find(|flag| !super::flags::is_flag(flag)) {
            return Err(ImapError::NotSayable { what: format!("{wrong:?} is no flag") });
        }
        let mut command = Command::new("APPEND ").text(raw_name)?.raw(&format!(" ({}) ", flags.join(" ")));
        if let Some(at) = internal_date {
            command = command.raw(&format!("\"{}\" ", names::internal_date_text(at)));
        }
        let done = self.run(command.bytes(raw.to_vec())?).await?;
        let code = done.code.filter(|code| code.name == "APPENDUID");
        Ok(Appended { place: code.and_then(|code| place(&code.rest)) })
    }
}

fn place(text: &str) -> Option<Stored> {
    let (validity, uid) = text.trim().split_once(' ')?;
    Some((UidValidity(validity.parse().ok()?), Uid(uid.parse().ok()?)))
}
