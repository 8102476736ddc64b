//! The header field that marks a message between devices: `Autocrypt-SMA: v=1; type=…`. A hint only: what counts is what
//! the message says under its signature, and this has to be the same.

use super::fields::Flaw;
use std::fmt;
use std::str::FromStr;

/// A field longer than this is none of ours, in bytes.
const FIELD_MAX: usize = 1000;

/// What a message between devices is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A device says that it is there.
    Announce,
    /// A new device asks to be let in.
    PairRequest,
    /// A person let it ask on.
    PairAccept,
    /// The new device opens its commitment.
    PairReveal,
    /// A device proves that its keys are those of the compared string.
    PairMac,
    /// A pairing is over.
    PairCancel,
    /// Between paired devices, encrypted: what changed, and what was received.
    Update,
    /// What came could not be opened; it is asked for anew.
    Reset,
    /// A device was removed from the roster, for itself to see.
    Removed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Announce,
        Self::PairRequest,
        Self::PairAccept,
        Self::PairReveal,
        Self::PairMac,
        Self::PairCancel,
        Self::Update,
        Self::Reset,
        Self::Removed,
    ];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::PairRequest => "pair-request",
            Self::PairAccept => "pair-accept",
            Self::PairReveal => "pair-reveal",
            Self::PairMac => "pair-mac",
            Self::PairCancel => "pair-cancel",
            Self::Update => "update",
            Self::Reset => "reset",
            Self::Removed => "removed",
        }
    }

    /// How long such a message is worth reading, in seconds.
    #[must_use]
    pub const fn lifetime(self) -> i64 {
        const DAY: i64 = 24 * 3600;
        match self {
            Self::PairRequest | Self::PairAccept | Self::PairReveal | Self::PairMac | Self::PairCancel => {
                3600
            }
            Self::Update | Self::Reset => 60 * DAY,
            Self::Announce => 97 * DAY,
            Self::Removed => 365 * DAY,
        }
    }

    /// Whether it is for all devices and lies among the announcements; otherwise it is for one, in its folder.
    #[must_use]
    pub const fn is_for_all(self) -> bool {
        matches!(self, Self::Announce | Self::Removed)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Flaw;

    fn from_str(text: &str) -> Result<Self, Flaw> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(Flaw::Value("type"))
    }
}

/// The value of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// What the message is.
    pub kind: Kind,
}

impl Marker {
    /// The name of the field.
    pub const NAME: &'static str = "Autocrypt-SMA";

    /// Reads the value of a field. Attributes as in `Autocrypt`: what is not known and begins with `_` is passed over, what
    /// is not known otherwise makes the field invalid.
    ///
    /// # Errors
    /// Why it is invalid.
    pub fn parse(value: &str) -> Result<Self, Flaw> {
        if value.len() > FIELD_MAX {
            return Err(Flaw::TooLong);
        }
        let (mut version, mut kind) = (None, None);
        for piece in value.split(';').map(str::trim).filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').ok_or(Flaw::Value("marker"))?;
            let seen = match name.trim() {
                "v" => version.replace(value.trim()),
                "type" => kind.replace(value.trim()),
                other if other.starts_with('_') => None,
                _ => return Err(Flaw::Value("marker")),
            };
            if seen.is_some() {
                return Err(Flaw::Value("marker"));
            }
        }
        match (version, kind) {
            (Some("1"), Some(kind)) => Ok(Self { kind: kind.parse()? }),
            (None | Some("1"), _) => Err(Flaw::Value("marker")),
            _ => Err(Flaw::Version),
        }
    }

    /// The value of the field.
    #[must_use]
    pub fn to_field(self) -> String {
        format!("v=1; type={}", self.kind)
    }
}
