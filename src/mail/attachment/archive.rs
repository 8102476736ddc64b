//! What lies in an archive: names and sizes, nothing unpacked but what hides the names, and that bounded.

use crate::mail::message::people::is_hidden;
use crate::mail::part::{self, Risk};
use flate2::read::MultiGzDecoder;
use memchr::memmem;
use serde::{Deserialize, Serialize};
use std::io::{Cursor, Read};

/// At most so many entries are listed.
pub const ENTRIES_MAX: usize = 1_000;
/// At most so many bytes are unpacked to find names.
const UNPACKED_MAX: u64 = 128 << 20;
/// A name is shown up to so many characters.
const NAME_MAX: usize = 400;

/// What lies in an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// What it holds, in its order.
    pub entries: Vec<Entry>,
    /// How many entries there are, as far as was looked.
    pub total: u64,
    /// What was not looked at, in sentences.
    pub notes: Vec<String>,
}

/// Something in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its whole name, without characters that nobody sees.
    pub name: String,
    /// Its size unpacked, as the archive says; `None` where it does not.
    pub bytes: Option<u64>,
    /// Whether it is a folder.
    pub folder: bool,
    /// Whether it is locked with a password.
    pub locked: bool,
    /// How risky it is to open, by its name.
    pub risk: Risk,
}

/// What a quick look at a zip archive sees.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    /// The names that stand anywhere in it.
    pub(super) names: Vec<String>,
    /// Whether any entry is locked with a password.
    pub(super) locked: bool,
}

/// Looks for the names in a zip archive by the marks of its entries, whatever its directory says: programs that unpack
/// disagree on which of the two counts. One pass.
pub(super) fn scan_zip(bytes: &[u8]) -> Scan {
    let mut scan = Scan::default();
    // Where the flags, the length of the name and the name lie after each mark (APPNOTE 4.3.7, 4.3.12).
    for (mark, flags, length, name) in [(b"PK\x01\x02", 8, 28, 46), (b"PK\x03\x04", 6, 26, 30)] {
        for at in memmem::find_iter(bytes, mark).take(4 * ENTRIES_MAX) {
            let number = |offset: usize| {
                let two = bytes.get(at + offset..at + offset + 2)?;
                two.first_chunk::<2>().map(|two| u16::from_le_bytes(*two))
            };
            let (Some(flags), Some(length)) = (number(flags), number(length)) else { continue };
            let Some(name) = bytes.get(at + name..at + name + usize::from(length)) else { continue };
            scan.locked |= flags & 1 == 1;
            if scan.names.len() < 2 * ENTRIES_MAX {
                scan.names.push(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
    scan
}

/// Lists an archive: zip, tar, tar.gz, gz.
///
/// # Errors
/// Why it cannot be listed, in a sentence without a full stop.
pub fn list(bytes: &[u8]) -> Result<Listing, String> {
    if bytes.starts_with(b"PK") {
        list_zip(bytes)
    } else if bytes.starts_with(b"\x1f\x8b") {
        list_gzip(bytes)
    } else if is_tar(bytes) {
        Ok(list_tar(bytes))
    } else {
        Err("Mailkeep cannot look into archives of this kind".to_owned())
    }
}

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..).is_some_and(|rest| rest.starts_with(b"ustar"))
}

fn list_zip(bytes: &[u8]) -> Result<Listing, String> {
    let broken = |_| "The archive is broken".to_owned();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut listing = Listing { total: archive.len() as u64, ..Listing::default() };
    for at in 0..archive.len().min(ENTRIES_MAX) {
        let Ok(file) = archive.by_index_raw(at) else {
            listing.notes.push("Part of the archive is broken.".to_owned());
            break;
        };
        let name = file.name().map(std::borrow::Cow::into_owned).unwrap_or_default();
        listing.entries.push(entry(&name, Some(file.size()), file.is_dir(), file.encrypted()));
    }
    Ok(cut(listing))
}

fn list_tar(bytes: &[u8]) -> Listing {
    let mut listing = Listing::default();
    read_tar(Cursor::new(bytes), &mut listing);
    cut(listing)
}

fn read_tar(from: impl Read, listing: &mut Listing) {
    let mut archive = tar::Archive::new(from);
    let Ok(entries) = archive.entries() else { return };
    for file in entries {
        let Ok(file) = file else {
            listing.notes.push("The archive ends before it should, or is broken.".to_owned());
            return;
        };
        listing.total += 1;
        if listing.entries.len() >= ENTRIES_MAX {
            continue;
        }
        let header = file.header();
        let name = String::from_utf8_lossy(&file.path_bytes()).into_owned();
        listing.entries.push(entry(&name, Some(file.size()), header.entry_type().is_dir(), false));
    }
}

fn list_gzip(bytes: &[u8]) -> Result<Listing, String> {
    let mut decoder = MultiGzDecoder::new(bytes).take(UNPACKED_MAX);
    let mut first = Vec::new();
    decoder.by_ref().take(512).read_to_end(&mut first).map_err(|_| "The archive is broken".to_owned())?;
    let mut listing = Listing::default();
    if is_tar(&first) {
        read_tar(Cursor::new(first).chain(decoder.by_ref()), &mut listing);
    } else {
        let name = decoder
            .get_ref()
            .header()
            .and_then(|header| header.filename())
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let mut length = first.len() as u64;
        let mut piece = vec![0; 64 << 10];
        loop {
            match decoder.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => length += read as u64,
                Err(_) => {
                    listing.notes.push("The archive ends before it should, or is broken.".to_owned());
                    break;
                }
            }
        }
        let known = Some(length).filter(|_| decoder.limit() > 0);
        listing.total = 1;
        listing.entries.push(entry(
            &name.unwrap_or_else(|| "the file in it".to_owned()),
            known,
            false,
            false,
        ));
    }
    if decoder.limit() == 0 {
        listing.notes.push("It unpacks to more than 128 MB; only the beginning was looked at.".to_owned());
    }
    Ok(cut(listing))
}

fn entry(name: &str, bytes: Option<u64>, folder: bool, locked: bool) -> Entry {
    let shown = name.chars().filter(|c| !is_hidden(*c)).take(NAME_MAX).collect();
    let risk = if folder { Risk::None } else { part::risk("application/octet-stream", Some(name)) };
    Entry { name: shown, bytes, folder, locked, risk }
}

fn cut(mut listing: Listing) -> Listing {
    let shown = listing.entries.len() as u64;
    if listing.total > shown {
        listing.notes.push(format!("Only the first {shown} of {} entries are listed.", listing.total));
    }
    listing
}
