//! The names of keys: fingerprints and key ids.

use sequoia_openpgp as pgp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// These letters do not name a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the fingerprint or the id of a key")]
pub struct NotAKeyName;

/// The fingerprint of a certificate's primary key or of a subkey: 40 hexadecimal digits (version 4) or 64 (version 6), in
/// upper case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn of(fingerprint: &pgp::Fingerprint) -> Self {
        Self(fingerprint.to_hex())
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits in groups of four, as people compare them.
    #[must_use]
    pub fn spaced(&self) -> String {
        let mut out = String::with_capacity(self.0.len() / 4 * 5);
        for (at, digit) in self.0.chars().enumerate() {
            if at > 0 && at % 4 == 0 {
                out.push(' ');
            }
            out.push(digit);
        }
        out
    }

    /// The id that goes with it: the last 8 bytes of a fingerprint of version 4, the first 8 of one of version 6.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let digits = if self.0.len() == 40 { self.0.get(24..) } else { self.0.get(..16) };
        KeyId(digits.unwrap_or_default().to_owned())
    }
}

impl FromStr for Fingerprint {
    type Err = NotAKeyName;

    /// Reads the digits in either case, with or without blanks between them and `0x` before them.
    fn from_str(text: &str) -> Result<Self, NotAKeyName> {
        let digits = digits(text, 64)?;
        if [40, 64].contains(&digits.len()) { Ok(Self(digits)) } else { Err(NotAKeyName) }
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAKeyName;

    fn try_from(text: String) -> Result<Self, NotAKeyName> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a key, 16 hexadecimal digits in upper case: for finding a key, never for trusting it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    pub(super) fn of(id: &pgp::KeyID) -> Self {
        Self(id.to_hex())
    }

    pub(super) fn of_handle(handle: &pgp::KeyHandle) -> Self {
        Self::of(&pgp::KeyID::from(handle))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is all zeros: a recipient that is not named.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.bytes().all(|digit| digit == b'0')
    }
}

impl FromStr for KeyId {
    type Err = NotAKeyName;

    /// Reads the digits in either case, with or without blanks between them and `0x` before them.
    fn from_str(text: &str) -> Result<Self, NotAKeyName> {
        let digits = digits(text, 16)?;
        if digits.len() == 16 { Ok(Self(digits)) } else { Err(NotAKeyName) }
    }
}

impl TryFrom<String> for KeyId {
    type Error = NotAKeyName;

    fn try_from(text: String) -> Result<Self, NotAKeyName> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Hexadecimal digits in upper case, at most `most` of them.
fn digits(text: &str, most: usize) -> Result<String, NotAKeyName> {
    let text = text.trim();
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut out = String::with_capacity(most);
    for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
        if !letter.is_ascii_hexdigit() || out.len() == most {
            return Err(NotAKeyName);
        }
        out.push(letter.to_ascii_uppercase());
    }
    Ok(out)
}
