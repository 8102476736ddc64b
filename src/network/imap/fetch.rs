//! Fetching messages: first what they weigh, then the bytes, the large ones in pieces.

use std::collections::HashSet;

use jiff::Timestamp;

use super::command::Command;
use super::response::{FetchItems, Response};
use super::session::Session;
use super::{Flags, ImapError, names};
use crate::mail::ids::{ModSeq, Uid};

/// What is known of a message before its bytes are here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Which message.
    pub uid: Uid,
    /// Its size in bytes as the server says. Some servers lie.
    pub size: u64,
    /// Its flags.
    pub flags: Flags,
    /// When the server received it.
    pub internal_date: Option<Timestamp>,
    /// Its change counter, where the server keeps one.
    pub mod_seq: Option<ModSeq>,
}

/// A message that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Here it is.
    Message {
        /// Which message.
        uid: Uid,
        /// Its flags now.
        flags: Flags,
        /// When the server received it.
        internal_date: Option<Timestamp>,
        /// The message, byte for byte.
        raw: Vec<u8>,
    },
    /// It is larger than a message may be. Asking again would not help.
    TooLarge {
        /// Which message.
        uid: Uid,
        /// Why, in words.
        why: String,
    },
    /// It was not handed out this time, or not whole. The next time may be better.
    Refused {
        /// Which message.
        uid: Uid,
        /// Why, in words.
        why: String,
    },
    /// It is no longer there.
    Gone {
        /// Which message.
        uid: Uid,
    },
}

impl Fetched {
    /// Which message it is about.
    #[must_use]
    pub const fn uid(&self) -> Uid {
        match self {
            Self::Message { uid, .. }
            | Self::TooLarge { uid, .. }
            | Self::Refused { uid, .. }
            | Self::Gone { uid } => *uid,
        }
    }
}

impl Session {
    /// What these messages weigh, and their flags. Those that are gone or cannot be read are missing in the answer; what
    /// nobody asked for is not in it.
    ///
    /// # Errors
    /// If the server does not tell.
    pub async fn sizes(&mut self, uids: &[Uid]) -> Result<Vec<Meta>, ImapError> {
        let mut metas = Vec::new();
        let mut asked: HashSet<Uid> = uids.iter().copied().collect();
        for set in names::uid_sets(uids) {
            let command = Command::new(&format!("UID FETCH {set} (UID RFC822.SIZE FLAGS INTERNALDATE)"));
            self.run_each(command, |response| {
                if let Response::Fetch(items) = response {
                    metas.extend(meta(items).filter(|meta| asked.remove(&meta.uid)));
                }
            })
            .await?;
        }
        Ok(metas)
    }

    /// Fetches these messages, in one command where they are small, and adds them to `into` in the order they come.
    /// Each one asked for is there in the end, as message, too large, refused or gone.
    ///
    /// # Errors
    /// If the connection is gone. What is in `into` by then is whole and good.
    pub async fn fetch(&mut self, wanted: &[Meta], into: &mut Vec<Fetched>) -> Result<(), ImapError> {
        let piece = self.limits.piece_bytes as u64;
        let mut missing: HashSet<Uid> = wanted.iter().map(|meta| meta.uid).collect();
        let small: Vec<&Meta> = wanted.iter().filter(|meta| meta.size <= piece).collect();
        if small.len() > 1 {
            self.fetch_together(&small, &mut missing, into).await?;
        }
        for meta in wanted {
            if missing.remove(&meta.uid) {
                let fetched = self.fetch_in_pieces(meta).await?;
                into.push(fetched);
            }
        }
        Ok(())
    }

    /// Many small ones. Sizes are not always exact (line ends are counted in more than one way) but never half; what
    /// a server sends beyond that is dropped here and asked for again in pieces.
    async fn fetch_together(
        &mut self,
        small: &[&Meta],
        missing: &mut HashSet<Uid>,
        into: &mut Vec<Fetched>,
    ) -> Result<(), ImapError> {
        let uids: Vec<Uid> = small.iter().map(|meta| meta.uid).collect();
        let mut budget: u64 =
            small.iter().map(|meta| meta.size.saturating_mul(2).saturating_add(10_000)).sum();
        for set in names::uid_sets(&uids) {
            self.allow_literals(Some(self.limits.piece_bytes as u64 * 2));
            let command = Command::new(&format!("UID FETCH {set} (UID FLAGS INTERNALDATE BODY.PEEK[])"));
            let result = self
                .run_each(command, |response| {
                    let Response::Fetch(items) = response else { return };
                    let Some((fetched, bytes)) = message(items) else { return };
                    if bytes <= budget && missing.remove(&fetched.uid()) {
                        budget -= bytes;
                        into.push(fetched);
                    }
                })
                .await;
            self.allow_literals(None);
            match result {
                Ok(_) => {}
                // "Not now" means all of them; asking for each would only add to the load.
                Err(error @ ImapError::No { .. }) if error.is_temporary() => {
                    let why = error.to_string();
                    into.extend(missing.drain().map(|uid| Fetched::Refused { uid, why: why.clone() }));
                    return Ok(());
                }
                // Any other no to the whole set may mean only one of it: the others are asked for one by one.
                Err(ImapError::No { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// One message, whatever it weighs: the server's word on that is not trusted.
    async fn fetch_in_pieces(&mut self, meta: &Meta) -> Result<Fetched, ImapError> {
        let uid = meta.uid;
        let refused = |why: String| Ok(Fetched::Refused { uid, why });
        let most = self.limits.message_bytes;
        let too_large = || Fetched::TooLarge { uid, why: format!("It is larger than {} MB.", most >> 20) };
        if meta.size > most {
            return Ok(too_large());
        }
        let mut raw = Vec::new();
        loop {
            match self.fetch_piece(uid, raw.len() as u64).await {
                Ok(Piece::Bytes(piece)) => {
                    raw.extend_from_slice(&piece);
                    if raw.len() as u64 > most {
                        return Ok(too_large());
                    }
                    // Only a short piece is the last one, whatever size was announced.
                    if piece.len() < self.limits.piece_bytes {
                        break;
                    }
                }
                Ok(Piece::Unreadable) => return refused("The server's answer cannot be understood.".into()),
                Ok(Piece::None) if raw.is_empty() => return Ok(Fetched::Gone { uid }),
                // Just past its end, some servers say nothing at all.
                Ok(Piece::None) if raw.len() as u64 >= meta.size => break,
                Ok(Piece::None) => return refused("The server handed out only a part of it.".into()),
                Err(ImapError::No { words, .. }) => return refused(format!("The server said no: {words}")),
                Err(other) => return Err(other),
            }
        }
        Ok(Fetched::Message { uid, flags: meta.flags.clone(), internal_date: meta.internal_date, raw })
    }

    async fn fetch_piece(&mut self, uid: Uid, from: u64) -> Result<Piece, ImapError> {
        let size = self.limits.piece_bytes;
        self.allow_literals(Some(size as u64));
        let command = Command::new(&format!("UID FETCH {uid} (UID BODY.PEEK[]<{from}.{size}>)"));
        let mut piece = Piece::None;
        let result = self
            .run_each(command, |response| match response {
                Response::Fetch(FetchItems { uid: its, body: Some((origin, bytes)), .. })
                    if its == Some(uid) && origin == from =>
                {
                    piece = Piece::Bytes(bytes);
                }
                Response::Unreadable(named)
                    if named.is_none_or(|named| named == uid) && matches!(piece, Piece::None) =>
                {
                    piece = Piece::Unreadable;
                }
                _ => {}
            })
            .await;
        self.allow_literals(None);
        result.map(|_| piece)
    }
}

/// What came when a piece was asked for.
enum Piece {
    Bytes(Vec<u8>),
    Unreadable,
    None,
}

fn meta(items: FetchItems) -> Option<Meta> {
    Some(Meta {
        uid: items.uid?,
        size: items.size?,
        flags: items.flags.unwrap_or_default(),
        internal_date: items.internal_date,
        mod_seq: items.mod_seq,
    })
}

fn message(items: FetchItems) -> Option<(Fetched, u64)> {
    let (origin, raw) = items.body?;
    (origin == 0).then_some(())?;
    let bytes = raw.len() as u64;
    let (uid, flags) = (items.uid?, items.flags.unwrap_or_default());
    Some((Fetched::Message { uid, flags, internal_date: items.internal_date, raw }, bytes))
}
