//! ASCII armour (RFC 9580 §6.2) as it is found in mail: with text around it, or several blocks in a row.

use sequoia_openpgp::armor::{Kind, Reader, ReaderMode};
use std::io::Read;

/// What a block says that it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Message,
    Signature,
    Keys,
}

impl Block {
    const fn starts(self) -> &'static [&'static [u8]] {
        match self {
            Self::Message => &[b"-----BEGIN PGP MESSAGE-----"],
            // Some older programs call a detached signature a message.
            Self::Signature => &[b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN PGP MESSAGE-----"],
            Self::Keys => {
                &[b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----BEGIN PGP PRIVATE KEY BLOCK-----"]
            }
        }
    }
}

/// The headers and the bytes within one block.
pub(super) struct Opened {
    pub(super) headers: Vec<(String, String)>,
    pub(super) bytes: Vec<u8>,
}

/// Packets begin with a byte over 127. So does text in German, but packets are never UTF-8.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| first & 0x80 != 0) && std::str::from_utf8(bytes).is_err()
}

/// The bytes of the first block of this kind, or the bytes themselves where they are binary. `None` where there is neither.
pub(super) fn open(bytes: &[u8], block: Block) -> Option<Vec<u8>> {
    if is_binary(bytes) {
        return Some(bytes.to_vec());
    }
    open_first(bytes, block).map(|(opened, _)| opened.bytes)
}

/// Opens the first block of this kind; says where the rest of the text begins.
pub(super) fn open_first(text: &[u8], block: Block) -> Option<(Opened, usize)> {
    let start = find_start(text, block)?;
    let from = text.get(start..)?;
    let length = end(from)?;
    let mut reader = Reader::from_bytes(from.get(..length)?, ReaderMode::Tolerant(None));
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).ok()?;
    let fits = matches!(
        (block, reader.kind()?),
        (Block::Message, Kind::Message)
            | (Block::Signature, Kind::Signature | Kind::Message)
            | (Block::Keys, Kind::PublicKey | Kind::SecretKey)
    );
    let headers = reader.headers().ok()?.to_vec();
    fits.then_some((Opened { headers, bytes }, start + length))
}

fn find_start(text: &[u8], block: Block) -> Option<usize> {
    block.starts().iter().filter_map(|mark| memchr::memmem::find(text, mark)).min()
}

/// How long the block is that begins here: to the end of its last line.
fn end(from: &[u8]) -> Option<usize> {
    let tail = memchr::memmem::find(from, b"-----END PGP ")?;
    let rest = from.get(tail + 5..)?;
    let close = memchr::memmem::find(rest, b"-----")?;
    Some(tail + 5 + close + 5)
}
