//! The header fields: `Autocrypt`, `Autocrypt-Gossip` and `Autocrypt-Draft-State` (Autocrypt 1.1, "Peer-to-peer
//! communication").

use data_encoding::BASE64;

use crate::mail::address::canonical;

/// A field longer than this, its name and its folding included, is neither sent nor read.
const FIELD_MAX: usize = 10 << 10;
/// So many letters of base64 go into a line.
const LINE: usize = 76;

/// What makes a field invalid. An invalid field is as good as none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is longer than 10 KiB.
    #[error("the field is longer than 10 KiB")]
    TooLong,
    /// It holds an attribute that this version does not know and must not ignore.
    #[error("the attribute {0} is not known")]
    UnknownAttribute(String),
    /// An attribute is there twice.
    #[error("the attribute {0} is there twice")]
    Repeated(String),
    /// A piece of it is no attribute.
    #[error("a piece of the field has no value")]
    NoValue,
    /// It names no address.
    #[error("the field names no address")]
    NoAddress,
    /// It carries no key, or what is there is not base64.
    #[error("the field carries no key that can be read")]
    NoKey,
    /// A value is none that it may have.
    #[error("the value of {0} is not known")]
    WrongValue(String),
}

/// An `Autocrypt` field: the key of the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose key it is, in canonical form.
    pub address: String,
    /// The sender would like encrypted mail (`prefer-encrypt=mutual`).
    pub mutual: bool,
    /// An OpenPGP certificate in binary form, not looked into here.
    pub keydata: Vec<u8>,
}

impl Header {
    /// The name of the field.
    pub const NAME: &'static str = "Autocrypt";

    /// Reads the value of a field, folded or unfolded.
    ///
    /// # Errors
    /// Why the field is invalid.
    pub fn parse(value: &str) -> Result<Self, Flaw> {
        let read = Attributes::read(Self::NAME, value, &["addr", "prefer-encrypt", "keydata"])?;
        Ok(Self {
            address: read.address()?,
            mutual: read.get("prefer-encrypt") == Some("mutual"),
            keydata: read.key()?,
        })
    }

    /// The value of the field, folded, the key last, without a line break at the end. `None` where it must not be
    /// sent: it would be too long, or the address cannot be written.
    #[must_use]
    pub fn to_field(&self) -> Option<String> {
        write(Self::NAME, &self.address, self.mutual, &self.keydata)
    }
}

/// An `Autocrypt-Gossip` field: the key of another recipient. It counts only inside an encrypted payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// Whose key it is, in canonical form.
    pub address: String,
    /// An OpenPGP certificate in binary form, not looked into here.
    pub keydata: Vec<u8>,
}

impl Gossip {
    /// The name of the field.
    pub const NAME: &'static str = "Autocrypt-Gossip";

    /// Reads the value of a field, folded or unfolded. A wish of the recipient's is never taken from gossip.
    ///
    /// # Errors
    /// Why the field is invalid.
    pub fn parse(value: &str) -> Result<Self, Flaw> {
        let read = Attributes::read(Self::NAME, value, &["addr", "prefer-encrypt", "keydata"])?;
        Ok(Self { address: read.address()?, keydata: read.key()? })
    }

    /// As [`Header::to_field`].
    #[must_use]
    pub fn to_field(&self) -> Option<String> {
        write(Self::NAME, &self.address, false, &self.keydata)
    }
}

/// An `Autocrypt-Draft-State` field: what the writer of a draft had decided. It counts only among drafts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DraftState {
    /// It is to be sent encrypted.
    pub encrypt: bool,
    /// It answers a message that was encrypted.
    pub is_reply_to_encrypted: bool,
    /// The writer chose so.
    pub by_choice: bool,
}

impl DraftState {
    /// The name of the field.
    pub const NAME: &'static str = "Autocrypt-Draft-State";

    /// Reads the value of a field.
    ///
    /// # Errors
    /// Why the field is invalid.
    pub fn parse(value: &str) -> Result<Self, Flaw> {
        let read = Attributes::read(Self::NAME, value, &["encrypt", "_is-reply-to-encrypted", "_by-choice"])?;
        let says = |name: &str| match read.get(name) {
            Some("yes") => Ok(Some(true)),
            Some("no") => Ok(Some(false)),
            None => Ok(None),
            Some(_) => Err(Flaw::WrongValue(name.to_owned())),
        };
        Ok(Self {
            encrypt: says("encrypt")?.ok_or_else(|| Flaw::WrongValue("encrypt".to_owned()))?,
            // What may be ignored when unknown may also be ignored when it makes no sense.
            is_reply_to_encrypted: says("_is-reply-to-encrypted").ok().flatten().unwrap_or_default(),
            by_choice: says("_by-choice").ok().flatten().unwrap_or_default(),
        })
    }

    /// The value of the field.
    #[must_use]
    pub fn to_field(self) -> String {
        let mut out = format!("encrypt={};", if self.encrypt { "yes" } else { "no" });
        for (name, holds) in
            [("_is-reply-to-encrypted", self.is_reply_to_encrypted), ("_by-choice", self.by_choice)]
        {
            if holds {
                out.push_str(&format!(" {name}=yes;"));
            }
        }
        out
    }
}

/// The key that a message brings of its sender: of all its `Autocrypt` fields exactly one is valid, names the sole address
/// of From, and carries a key that `read` can read. Two or more that do cancel each other out; invalid ones do not count,
/// so that later versions can live beside this one. Gives the key with the sender's wish for encrypted mail.
#[must_use]
pub fn sole<'a, K>(
    fields: impl Iterator<Item = &'a str>,
    from: &str,
    read: impl Fn(&[u8]) -> Option<K>,
) -> Option<(K, bool)> {
    let from = canonical(from);
    let mut valid = fields
        .filter_map(|value| Header::parse(value).ok())
        .filter(|header| !from.is_empty() && header.address == from)
        .filter_map(|header| Some((read(&header.keydata)?, header.mutual)));
    let first = valid.next();
    if valid.next().is_some() { None } else { first }
}

/// The attributes of a field, each once.
struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    /// Splits at semicolons and each piece at its first equals sign: those that pad base64 stay where they are.
    fn read(field: &str, value: &'a str, known: &[&str]) -> Result<Self, Flaw> {
        if field.len() + 2 + value.len() > FIELD_MAX {
            return Err(Flaw::TooLong);
        }
        let mut attributes: Vec<(&str, &str)> = Vec::new();
        for piece in value.split(';').map(str::trim).filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').ok_or(Flaw::NoValue)?;
            let (name, value) = (name.trim(), value.trim());
            if !known.contains(&name) {
                if name.starts_with('_') {
                    continue;
                }
                return Err(Flaw::UnknownAttribute(name.chars().take(100).collect()));
            }
            if attributes.iter().any(|(other, _)| *other == name) {
                return Err(Flaw::Repeated(name.to_owned()));
            }
            attributes.push((name, value));
        }
        Ok(Self(attributes))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn address(&self) -> Result<String, Flaw> {
        let address = canonical(self.get("addr").unwrap_or_default());
        let sound =
            address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if sound { Ok(address) } else { Err(Flaw::NoAddress) }
    }

    fn key(&self) -> Result<Vec<u8>, Flaw> {
        let code: String =
            self.get("keydata").unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
        BASE64.decode(code.as_bytes()).ok().filter(|key| !key.is_empty()).ok_or(Flaw::NoKey)
    }
}

fn write(field: &str, address: &str, mutual: bool, keydata: &[u8]) -> Option<String> {
    let sound = address.contains('@') && address.chars().all(|c| c.is_ascii_graphic() && c != ';');
    if !sound || keydata.is_empty() {
        return None;
    }
    let wish = if mutual { "prefer-encrypt=mutual; " } else { "" };
    let mut out = format!("addr={address}; {wish}keydata=");
    for line in BASE64.encode(keydata).as_bytes().chunks(LINE) {
        out.push_str("\r\n ");
        out.push_str(&String::from_utf8_lossy(line));
    }
    (field.len() + 2 + out.len() <= FIELD_MAX).then_some(out)
}
