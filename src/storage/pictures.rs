//! Copies of pictures from elsewhere: a file each, sealed under a key of its own that the database keeps. Losing one
//! costs a fetch and nothing else, so nothing here waits for the disk.

use super::disk::{self, DiskError, On};
use crate::crypto::seal::Sealer;
use crate::crypto::secret::{Key, random};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Files are filled up to a multiple of this, in bytes, so that their sizes tell less.
const STEP: usize = 4096;
/// The largest file that is read.
const LARGEST: usize = 64 << 20;

/// The folder of the copies.
#[derive(Clone, Debug)]
pub struct Pictures(PathBuf);

/// A file that was written.
#[derive(Debug)]
pub struct Written {
    /// Its name, which tells nothing.
    pub file: String,
    /// What it is sealed under.
    pub key: Key,
    /// Its bytes.
    pub size: u64,
}

impl Pictures {
    /// The copies in a folder.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Seals a picture into a new file.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn write(&self, picture: &[u8]) -> Result<Written, DiskError> {
        let file = data_encoding::HEXLOWER.encode(&random::<16>());
        let path = self.0.join(&file);
        let key = Key::random();
        let mut content = (picture.len() as u64).to_be_bytes().to_vec();
        content.extend_from_slice(picture);
        content.resize(content.len().next_multiple_of(STEP), 0);
        Sealer::new(&key).seal_in_place(0, file.as_bytes(), &mut content);
        let written =
            disk::open_or_create(&path).and_then(|handle| disk::write_at(&handle, &path, 0, &content));
        if let Err(error) = written {
            self.remove(&[file]);
            return Err(error);
        }
        Ok(Written { file, key, size: content.len() as u64 })
    }

    /// Opens one; nothing where it is gone or was not written whole.
    #[must_use]
    pub fn read(&self, file: &str, key: &Key) -> Option<Vec<u8>> {
        let mut content = disk::read_small(&self.path(file)?, LARGEST).ok()?;
        Sealer::new(key).open_in_place(0, file.as_bytes(), &mut content).ok()?;
        let (length, rest) = content.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        rest.get(..length).map(<[u8]>::to_vec)
    }

    /// Removes some; their keys are destroyed by whoever keeps them.
    pub fn remove(&self, files: &[String]) {
        for path in files.iter().filter_map(|file| self.path(file)) {
            if let Err(error) = disk::remove(&path) {
                tracing::warn!(%error, "A copy of a picture could not be removed");
            }
        }
    }

    /// Removes all but these.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn keep_only(&self, known: &[String]) -> Result<(), DiskError> {
        let known: HashSet<&String> = known.iter().collect();
        let mut others = Vec::new();
        for entry in std::fs::read_dir(&self.0).on(&self.0)? {
            let name = entry.on(&self.0)?.file_name().to_string_lossy().into_owned();
            if !known.contains(&name) {
                others.push(name);
            }
        }
        self.remove(&others);
        Ok(())
    }

    fn path(&self, file: &str) -> Option<PathBuf> {
        let plain = !file.is_empty() && file.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| Path::new(&self.0).join(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_opens_under_its_own_key_and_name_only() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = Pictures::new(folder.path().to_owned());
        let (one, two) = (pictures.write(b"a red barn").unwrap(), pictures.write(&[7; 10_000]).unwrap());
        assert_eq!(pictures.read(&one.file, &one.key).unwrap(), b"a red barn");
        assert_eq!(pictures.read(&two.file, &two.key).unwrap(), [7; 10_000]);
        assert_eq!((one.size, two.size), (4096 + 16, 12_288 + 16), "sizes tell little");
        assert!(pictures.read(&one.file, &two.key).is_none());
        std::fs::rename(folder.path().join(&one.file), folder.path().join(&two.file)).unwrap();
        assert!(pictures.read(&two.file, &one.key).is_none());
        assert!(pictures.read("../vault", &one.key).is_none());
        let sealed = std::fs::read(folder.path().join(&two.file)).unwrap();
        assert!(!sealed.windows(4).any(|w| w == b"barn"));
    }

    #[test]
    fn what_nobody_knows_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let pictures = Pictures::new(folder.path().to_owned());
        let (one, two) = (pictures.write(b"one").unwrap(), pictures.write(b"two").unwrap());
        pictures.keep_only(std::slice::from_ref(&two.file)).unwrap();
        assert!(pictures.read(&one.file, &one.key).is_none());
        pictures.remove(&[two.file.clone(), "not-there".into(), "abc".into()]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
