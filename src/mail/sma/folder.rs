//! Which folders the messages lie in, and the numbers that devices go by.

use super::fields::Flaw;
use std::fmt;
use std::str::FromStr;

/// The folder where every device of the account says that it is there.
pub const ANNOUNCEMENTS: &str = "_Autocrypt_SMA";
/// The least number a new device gives itself: ten digits.
const LEAST: u64 = 1_000_000_000;
/// So many numbers of ten digits there are.
const COUNT: u64 = 9_000_000_000;

/// A device of an account: a random number, never used twice, decimal in names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(u64);

impl DeviceId {
    /// A new one of ten digits from random bytes.
    #[must_use]
    pub const fn from_random(random: [u8; 8]) -> Self {
        Self(LEAST + u64::from_be_bytes(random) % COUNT)
    }

    /// The number, where it stands in a code.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The device of this number.
    ///
    /// # Errors
    /// Where it has more than nineteen digits.
    pub fn from_number(number: u64) -> Result<Self, Flaw> {
        number.to_string().parse()
    }

    /// The name (for people) of the folder where messages for this device are laid.
    #[must_use]
    pub fn inbox(self) -> String {
        format!("{ANNOUNCEMENTS}_{self}")
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}

impl FromStr for DeviceId {
    type Err = Flaw;

    /// One to nineteen digits. Each device has one name: no zero goes before its number.
    fn from_str(text: &str) -> Result<Self, Flaw> {
        let sound = (1..=19).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        let number = sound.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or(Flaw::Value("device"))
    }
}

/// What a folder of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// Where devices say that they are there.
    Announcements,
    /// Where messages for one device lie.
    Inbox(DeviceId),
}

impl FolderKind {
    /// What a folder is by its name (for people), if it is one of ours: at the first level, or right below the inbox where
    /// the server wants all folders there.
    #[must_use]
    pub fn of(name: &str, delimiter: Option<char>) -> Option<Self> {
        let below = delimiter.and_then(|delimiter| {
            let (first, rest) = name.split_once(delimiter)?;
            first.eq_ignore_ascii_case("INBOX").then_some(rest)
        });
        let rest = below.unwrap_or(name).strip_prefix(ANNOUNCEMENTS)?;
        if rest.is_empty() {
            return Some(Self::Announcements);
        }
        rest.strip_prefix('_')?.parse().ok().map(Self::Inbox)
    }
}
