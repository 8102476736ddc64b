//! How parent and worker speak: frames, each a length of four bytes (little-endian) and so many bytes. The parent sends the
//! job, the number of inputs, and the inputs; the worker answers with a letter, then what belongs to it.

use std::io::{self, Read, Write};

/// A job in words is never longer, in bytes.
pub(super) const WORDS_MAX: usize = 4 << 20;
/// All inputs together, in bytes.
pub(super) const INPUT_MAX: usize = 96 << 20;
/// How many inputs.
pub(super) const INPUTS_MAX: usize = 200;

/// Something was made: its description and its bytes follow.
pub(super) const MADE: u8 = b'M';
/// The end: the summary follows.
pub(super) const END: u8 = b'E';
/// The walls could not be raised.
pub(super) const NO_WALLS: u8 = b'W';

/// Writes a frame.
pub(super) fn put(out: &mut (impl Write + ?Sized), bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(bytes)
}

/// Reads a frame of at most `most` bytes.
pub(super) fn take(from: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    // Room is taken as bytes come, not as they are announced.
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_lies_about_lengths_do_not_cost() {
        let mut wire = Vec::new();
        put(&mut wire, b"hello").unwrap();
        put(&mut wire, b"").unwrap();
        let mut from = wire.as_slice();
        assert_eq!(take(&mut from, 5).unwrap(), b"hello");
        assert_eq!(take(&mut from, 5).unwrap(), b"");
        assert!(take(&mut from, 5).is_err(), "nothing is left");
        assert!(take(&mut wire.as_slice(), 4).is_err(), "longer than allowed");
        let announced = [&u32::MAX.to_le_bytes()[..], b"few"].concat();
        assert!(take(&mut announced.as_slice(), usize::MAX).is_err(), "fewer than announced");
    }
}
