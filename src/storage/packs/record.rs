//! One message as it lies in a pack: compressed, padded and sealed under a key of its own.
//!
//! Plain bytes of a record: the body (zstd, or as it is where that is shorter), the meta data as JSON, zeros
//! up to a multiple of 64, and a trailer: codec, length of the meta data, of the body, of the raw message.
//! No byte of it stands in the clear, so every flipped bit is found.

use super::PackError;
use crate::crypto::seal::{OVERHEAD, Sealer};
use crate::crypto::secret::Key;
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use zstd::bulk::{Compressor, Decompressor};

/// Longer messages are refused.
pub const MAX_RAW_BYTES: usize = 1 << 30;
/// Records begin and end on multiples of this, so that sizes tell less.
pub(super) const ALIGNMENT: u32 = 64;
const TRAILER: usize = 1 + 4 + 4 + 4;
const STORED: u8 = 0;
const ZSTD: u8 = 1;
/// zstd's own default: a quarter of a gigabyte in a second.
const LEVEL: i32 = 3;

/// What a record says about its message beside the bytes: enough to rebuild the database without it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordMeta {
    /// When it was received, in UTC seconds.
    #[serde(rename = "at", default, skip_serializing_if = "is_zero")]
    pub received_at: i64,
    /// The address of the account it came by, or nothing (imported).
    #[serde(rename = "a", default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The folder's name on the server.
    #[serde(rename = "f", default, skip_serializing_if = "String::is_empty")]
    pub folder: String,
    /// The folder's special use.
    #[serde(rename = "r", default, skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// Its UID there, or 0.
    #[serde(rename = "u", default, skip_serializing_if = "is_zero_u32")]
    pub uid: u32,
    /// The generation of that UID.
    #[serde(rename = "v", default, skip_serializing_if = "is_zero_u32")]
    pub uid_validity: u32,
    /// Tags and flags at the time of writing.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero_u32(number: &u32) -> bool {
    *number == 0
}

/// A message with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What the record says about the message.
    pub meta: RecordMeta,
    /// The message, byte for byte.
    pub raw: Vec<u8>,
}

/// A message made ready to be appended: compressed and laid out. Preparing needs no lock, so many threads may.
pub struct Prepared {
    plain: Vec<u8>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({} bytes)", self.plain.len())
    }
}

impl Prepared {
    /// Compresses a message at the usual level.
    ///
    /// # Errors
    /// [`PackError::TooLarge`] over [`MAX_RAW_BYTES`].
    pub fn new(meta: &RecordMeta, raw: &[u8]) -> Result<Self, PackError> {
        Self::at_level(meta, raw, LEVEL)
    }

    /// Compresses a message at a zstd level of choice.
    ///
    /// # Errors
    /// [`PackError::TooLarge`] over [`MAX_RAW_BYTES`].
    pub fn at_level(meta: &RecordMeta, raw: &[u8], level: i32) -> Result<Self, PackError> {
        let too_large = || PackError::TooLarge { bytes: raw.len() };
        if raw.len() > MAX_RAW_BYTES {
            return Err(too_large());
        }
        let meta = serde_json::to_vec(meta).map_err(|_| too_large())?;
        let (codec, mut plain) = match compress(raw, level) {
            Some(body) if body.len() < raw.len() => (ZSTD, body),
            _ => (STORED, raw.to_vec()),
        };
        let body_length = plain.len();
        let used = body_length + meta.len() + TRAILER + OVERHEAD;
        let padding = used.next_multiple_of(ALIGNMENT as usize) - used;
        plain.reserve_exact(used + padding - body_length);
        plain.extend_from_slice(&meta);
        plain.resize(plain.len() + padding, 0);
        plain.push(codec);
        for length in [meta.len(), body_length, raw.len()] {
            plain.extend_from_slice(&u32::try_from(length).map_err(|_| too_large())?.to_be_bytes());
        }
        Ok(Self { plain })
    }

    /// How many bytes it will take in a pack.
    pub(super) const fn sealed_length(&self) -> usize {
        self.plain.len() + OVERHEAD
    }

    /// Seals it under its key. The key is used for nothing else, ever.
    pub(super) fn seal(mut self, key: &Key, aad: &[u8]) -> Vec<u8> {
        Sealer::new(key).seal_in_place(0, aad, &mut self.plain);
        self.plain
    }
}

/// Opens a sealed record. `None` is damage; which kind makes no difference.
pub(super) fn open(key: &Key, aad: &[u8], mut sealed: Vec<u8>) -> Option<Record> {
    Sealer::new(key).open_in_place(0, aad, &mut sealed).ok()?;
    let (rest, trailer) = sealed.split_last_chunk::<TRAILER>()?;
    let (codec, lengths) = trailer.split_first()?;
    let mut lengths = lengths
        .chunks_exact(4)
        .map(|bytes| bytes.iter().fold(0_usize, |number, byte| (number << 8) | usize::from(*byte)));
    let (meta_length, body_length, raw_length) = (lengths.next()?, lengths.next()?, lengths.next()?);
    let (body, rest) = rest.split_at_checked(body_length)?;
    let meta = serde_json::from_slice(rest.get(..meta_length)?).ok()?;
    let raw = match *codec {
        STORED => body.to_vec(),
        ZSTD => decompress(body, raw_length)?,
        _ => return None,
    };
    (raw.len() == raw_length).then_some(Record { meta, raw })
}

/// zstd contexts that are at rest. They are dear to make and hold some megabytes, so a few are kept.
struct Pool<T>(Mutex<Vec<T>>);

static COMPRESSORS: Pool<Compressor<'static>> = Pool(Mutex::new(Vec::new()));
static DECOMPRESSORS: Pool<Decompressor<'static>> = Pool(Mutex::new(Vec::new()));
const KEPT_AT_REST: usize = 4;

impl<T> Pool<T> {
    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, context: T) {
        let mut at_rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if at_rest.len() < KEPT_AT_REST {
            at_rest.push(context);
        }
    }
}

fn compress(raw: &[u8], level: i32) -> Option<Vec<u8>> {
    let mut compressor = COMPRESSORS.take().map_or_else(|| Compressor::new(level), Ok).ok()?;
    compressor.set_compression_level(level).ok()?;
    let body = compressor.compress(raw).ok()?;
    COMPRESSORS.put(compressor);
    Some(body)
}

/// Gives up at `raw_length`, which the seal vouches for: a bomb cannot go off.
fn decompress(body: &[u8], raw_length: usize) -> Option<Vec<u8>> {
    if raw_length > MAX_RAW_BYTES {
        return None;
    }
    let mut decompressor = DECOMPRESSORS.take().map_or_else(Decompressor::new, Ok).ok()?;
    let mut raw = Vec::new();
    raw.try_reserve_exact(raw_length).ok()?;
    decompressor.decompress_to_buffer(body, &mut raw).ok()?;
    DECOMPRESSORS.put(decompressor);
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meta() -> impl Strategy<Value = RecordMeta> {
        (any::<i64>(), ".*", ".*", any::<u32>(), any::<u32>(), prop::collection::vec(".*", 0..4)).prop_map(
            |(received_at, account, folder, uid, uid_validity, tags)| RecordMeta {
                received_at,
                account,
                folder,
                role: String::new(),
                uid,
                uid_validity,
                tags,
            },
        )
    }

    proptest! {
        #[test]
        fn what_was_prepared_and_sealed_opens_again(meta in meta(), word: Vec<u8>, times in 0..300_usize, level in 1..10) {
            let record = Record { meta, raw: word.repeat(times) };
            let key = Key::random();
            let prepared = Prepared::at_level(&record.meta, &record.raw, level).unwrap();
            let length = prepared.sealed_length();
            let sealed = prepared.seal(&key, b"here");
            prop_assert_eq!(sealed.len(), length);
            prop_assert_eq!(sealed.len() % ALIGNMENT as usize, 0);
            prop_assert_eq!(open(&key, b"here", sealed.clone()), Some(record));
            prop_assert_eq!(open(&key, b"there", sealed), None);
        }

        #[test]
        fn whatever_was_sealed_never_panics(mut plain: Vec<u8>, lengths: [u8; TRAILER]) {
            let key = Key::random();
            plain.extend_from_slice(&lengths);
            let sealed = Prepared { plain }.seal(&key, b"");
            drop(open(&key, b"", sealed));
        }
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let body = compress(&vec![0; 50 << 20], 3).unwrap();
        assert_eq!(decompress(&body, 1 << 20), None);
        assert_eq!(decompress(&body, usize::MAX), None);
    }
}
