//! The names of things: newtypes, so that no two kinds of number are ever mixed up.

use std::fmt;
use std::str::FromStr;

/// A message, by content: a keyed digest of its exact bytes, printed as 24 letters and digits.
///
/// The same bytes have the same id in one store for ever, also after the database was rebuilt from the packs;
/// without the store's key nobody can tell which message an id belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub [u8; 15]);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::BASE32_DNSSEC.encode(&self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// What is no id is an id that nobody has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an id")]
pub struct NotAnId;

impl FromStr for MessageId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let bytes = data_encoding::BASE32_DNSSEC.decode(text.as_bytes()).map_err(|_| NotAnId)?;
        Ok(Self(bytes.try_into().map_err(|_| NotAnId)?))
    }
}

impl serde::Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A message's row: the number that bitmaps and the index know it by. Never used twice.
    MessageNumber(u32)
);
number!(
    /// A thread's row. On the surface a thread is named by the id of any message in it.
    ThreadNumber(i64)
);
number!(
    /// An account's row.
    AccountId(i64)
);
number!(
    /// A folder's row.
    FolderId(i64)
);
number!(
    /// The number an IMAP server gave a message in a folder (RFC 3501 §2.3.1.1).
    Uid(u32)
);
number!(
    /// The generation of a folder's UIDs (RFC 3501 §2.3.1.1).
    UidValidity(u32)
);
number!(
    /// A change counter of a folder or message (RFC 7162).
    ModSeq(u64)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_prints_and_parses_back() {
        let id = MessageId([7; 15]);
        assert_eq!(id.to_string().len(), 24);
        assert_eq!(id.to_string().parse(), Ok(id));
        for not in ["", "1", "../../etc", "zzzzzzzzzzzzzzzzzzzzzzzz", "ÄÄÄ"] {
            assert_eq!(not.parse::<MessageId>(), Err(NotAnId), "{not}");
        }
    }
}
