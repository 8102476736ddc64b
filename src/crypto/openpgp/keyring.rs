//! From bytes to certificates, within bounds that hold before any signature is looked at.
//!
//! A certificate over the bounds is refused, not trimmed: which of a thousand signatures matter can only be told by checking
//! them, and that is what a flood wants. Photographs and packets of unknown kinds go with their signatures; nothing here
//! uses them.

use super::armour::{self, Block};
use super::certificate::Unusable;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::packet::{Packet, Tag};
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::serialize::MarshalInto;

/// A certificate has at most so many bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 1 << 20;
/// A bundle has at most so many certificates.
pub const MAX_CERTIFICATES: usize = 64;

const MAX_BUNDLE_BYTES: usize = 8 << 20;
const MAX_USER_IDS: usize = 64;
const MAX_SUBKEYS: usize = 64;
const MAX_SIGNATURES: usize = 1024;
const MAX_PACKETS: usize = 4096;
/// Each signature may be tried on each of these, so they are bounded too: RSA with 8192 bits takes half of it.
const MAX_KEY_BYTES: usize = 8 << 10;
const MAX_USER_ID_BYTES: usize = 2 << 10;

/// Why a key cannot be had, or not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no certificate, or a damaged one.
    #[error("this is not an OpenPGP key, or it is damaged")]
    Unreadable,
    /// It has more bytes than anybody's key.
    #[error("this key is too large: at most {limit} bytes are taken")]
    TooLarge {
        /// The most that is taken, in bytes.
        limit: usize,
    },
    /// It has more of something than anybody's key.
    #[error("this key has too many {what}: at most {limit} are taken")]
    TooMany {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// How many are taken.
        limit: usize,
    },
    /// No User ID of it names the address.
    #[error("this key is not for that address")]
    NoAddress,
    /// There is no secret part where one is needed.
    #[error("this is only the public part of a key; the secret part is needed")]
    Secret,
    /// A password guards the secret part.
    #[error("this key is locked with a password")]
    Locked,
    /// The password is not the one.
    #[error("the password does not open this key")]
    WrongPassword,
    /// The key cannot be used for that.
    #[error("the key {fingerprint} cannot be used: {why}")]
    Unusable {
        /// Of the certificate's primary key.
        fingerprint: super::Fingerprint,
        /// What is wrong with it.
        why: Unusable,
    },
    /// Its kind of key needs a message that others' programs do not read.
    #[error("a message to the key {fingerprint} cannot go to keys of older programs at once: send it apart")]
    NotTogether {
        /// Of the certificate's primary key.
        fingerprint: super::Fingerprint,
    },
    /// The two certificates are of different keys.
    #[error("these are two different keys")]
    DifferentKeys,
    /// It has not the shape that Autocrypt Level 1 asks for.
    #[error("this key does not fit into an Autocrypt header")]
    NotForAutocrypt,
    /// The cipher library failed.
    #[error("the key could not be made or used")]
    Failed,
}

/// The packets of one certificate, the primary key first.
pub(super) type Packets = Vec<Packet>;

/// The packets of the first certificate in these bytes, armoured or not.
pub(super) fn first(bytes: &[u8]) -> Result<Packets, KeyError> {
    // Armour takes a third more.
    if bytes.len() > MAX_CERTIFICATE_BYTES * 3 / 2 {
        return Err(KeyError::TooLarge { limit: MAX_CERTIFICATE_BYTES });
    }
    let binary = armour::open(bytes, Block::Keys).ok_or(KeyError::Unreadable)?;
    read(&binary, 1)?.pop().ok_or(KeyError::Unreadable)
}

/// The packets of every certificate in these bytes: one keyring, or armoured blocks in a row.
pub(super) fn all(bytes: &[u8]) -> Result<Vec<Packets>, KeyError> {
    if bytes.len() > MAX_BUNDLE_BYTES {
        return Err(KeyError::TooLarge { limit: MAX_BUNDLE_BYTES });
    }
    if armour::is_binary(bytes) {
        return bundle(read(bytes, MAX_CERTIFICATES + 1)?);
    }
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some((opened, end)) = armour::open_first(rest, Block::Keys) {
        found.extend(read(&opened.bytes, MAX_CERTIFICATES + 1)?);
        found = bundle(found)?;
        rest = rest.get(end..).unwrap_or_default();
    }
    bundle(found)
}

fn bundle(found: Vec<Packets>) -> Result<Vec<Packets>, KeyError> {
    if found.is_empty() {
        return Err(KeyError::Unreadable);
    }
    if found.len() > MAX_CERTIFICATES {
        return Err(KeyError::TooMany { what: "certificates", limit: MAX_CERTIFICATES });
    }
    Ok(found)
}

/// A certificate of packets that were [counted](first).
pub(super) fn certificate(packets: Packets) -> Result<Cert, KeyError> {
    Cert::from_packets(packets.into_iter()).map_err(|_| KeyError::Unreadable)
}

/// Holds a certificate that was put together here to the same bounds.
pub(super) fn bounded(cert: Cert) -> Result<Cert, KeyError> {
    let mut count = Count::default();
    for packet in cert.clone().into_packets() {
        count.take(&packet)?;
    }
    Ok(cert)
}

#[derive(Default)]
struct Count {
    bytes: usize,
    user_ids: usize,
    subkeys: usize,
    signatures: usize,
}

impl Count {
    fn take(&mut self, packet: &Packet) -> Result<(), KeyError> {
        let bytes = packet.serialized_len();
        self.bytes += bytes;
        if self.bytes > MAX_CERTIFICATE_BYTES {
            return Err(KeyError::TooLarge { limit: MAX_CERTIFICATE_BYTES });
        }
        let (count, what, limit, largest) = match packet.tag() {
            Tag::UserID => (&mut self.user_ids, "user ids", MAX_USER_IDS, MAX_USER_ID_BYTES),
            Tag::PublicSubkey | Tag::SecretSubkey => {
                (&mut self.subkeys, "subkeys", MAX_SUBKEYS, MAX_KEY_BYTES)
            }
            Tag::Signature => (&mut self.signatures, "signatures", MAX_SIGNATURES, MAX_CERTIFICATE_BYTES),
            _ => return if bytes > MAX_KEY_BYTES { Err(too_large(MAX_KEY_BYTES)) } else { Ok(()) },
        };
        *count += 1;
        match () {
            () if *count > limit => Err(KeyError::TooMany { what, limit }),
            () if bytes > largest => Err(too_large(largest)),
            () => Ok(()),
        }
    }
}

const fn too_large(limit: usize) -> KeyError {
    KeyError::TooLarge { limit }
}

/// Splits a keyring into at most `most` certificates' packets; what comes after is not looked at.
fn read(binary: &[u8], most: usize) -> Result<Vec<Packets>, KeyError> {
    let mut found: Vec<Packets> = Vec::new();
    let mut count = Count::default();
    let mut wanted = true;
    let mut seen = 0;
    let mut next = PacketParser::from_bytes(binary).map_err(|_| KeyError::Unreadable)?;
    while let PacketParserResult::Some(parser) = next {
        seen += 1;
        if seen > MAX_PACKETS * most.min(4) {
            return Err(KeyError::TooMany { what: "packets", limit: MAX_PACKETS });
        }
        let (packet, rest) = parser.next().map_err(|_| KeyError::Unreadable)?;
        next = rest;
        match packet {
            Packet::PublicKey(_) | Packet::SecretKey(_) => {
                if found.len() == most {
                    break;
                }
                (count, wanted) = (Count::default(), true);
                count.take(&packet)?;
                found.push(vec![packet]);
                continue;
            }
            Packet::UserID(_) | Packet::PublicSubkey(_) | Packet::SecretSubkey(_) => wanted = true,
            Packet::Signature(_) => {}
            // A signature that cannot be read says nothing.
            Packet::Unknown(ref unknown) if unknown.tag() == Tag::Signature => continue,
            // What follows it is about it.
            Packet::UserAttribute(_) | Packet::Unknown(_) => wanted = false,
            Packet::Trust(_) | Packet::Marker(_) | Packet::Padding(_) => continue,
            _ => return Err(KeyError::Unreadable),
        }
        if wanted {
            count.take(&packet)?;
            found.last_mut().ok_or(KeyError::Unreadable)?.push(packet);
        }
    }
    Ok(found)
}
