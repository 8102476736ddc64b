//! The one readable file of the data directory, there only where the owner wants a locked store to be unlocked from afar: what Tor
//! needs to announce a service before anybody gave the passphrase. It is no key to anything that lies beside it.

use super::data_dir::DataDir;
use super::disk::{self, DiskError};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The format that is written.
const VERSION: u16 = 1;
/// How many keys of devices there may be.
const MOST_CLIENTS: usize = 100;
/// The longest configuration of Tor, in bytes.
const LONGEST_CONFIG: usize = 1 << 20;
/// Longer than any such file: JSON writes six bytes for a control character at most.
const MAX_BYTES: usize = 6 * LONGEST_CONFIG + (64 << 10);

/// What a locked store announces.
#[derive(Clone, PartialEq, Eq)]
pub struct UnlockOnion {
    /// The seed of the service's secret key. It is of no use for anything else.
    pub secret: Zeroizing<[u8; 32]>,
    /// The public halves of the keys of those who find it.
    pub clients: Vec<[u8; 32]>,
    /// What the owner adds to Tor's configuration, as arti's TOML; empty for nothing.
    pub tor_config: String,
}

impl std::fmt::Debug for UnlockOnion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UnlockOnion(…)")
    }
}

/// The file as it is written: JSON, bytes in hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u16,
    key: Zeroizing<String>,
    devices: Vec<String>,
    tor: String,
}

fn bytes32(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(HEXLOWER.decode(text.as_bytes()).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

impl UnlockOnion {
    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let written = Written {
            version: VERSION,
            key: Zeroizing::new(HEXLOWER.encode(&*self.secret)),
            devices: self.clients.iter().map(|key| HEXLOWER.encode(key)).collect(),
            tor: self.tor_config.clone(),
        };
        // Strings and numbers can always be written; nothing would be read as no file.
        Zeroizing::new(serde_json::to_vec(&written).unwrap_or_default())
    }

    /// Reads the bytes of the file; none where they are not what we write.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let written: Written = serde_json::from_slice(bytes).ok()?;
        let sound = written.version == VERSION
            && (1..=MOST_CLIENTS).contains(&written.devices.len())
            && written.tor.len() <= LONGEST_CONFIG;
        if !sound {
            return None;
        }
        let clients: Option<Vec<_>> =
            written.devices.iter().map(|key| bytes32(key).map(|bytes| *bytes)).collect();
        Some(Self { secret: bytes32(&written.key)?, clients: clients?, tor_config: written.tor })
    }
}

impl DataDir {
    fn unlock_onion_file(&self) -> PathBuf {
        self.root().join("unlock-onion")
    }

    /// What a locked store announces; none where there is no such file, or it is not what we write.
    ///
    /// # Errors
    /// [`DiskError`] where it cannot be read.
    pub fn unlock_onion(&self) -> Result<Option<UnlockOnion>, DiskError> {
        let path = self.unlock_onion_file();
        // Whoever opened anything else might wait for it for ever.
        if !std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_file()) {
            return Ok(None);
        }
        match disk::read_small(&path, MAX_BYTES) {
            Ok(bytes) => Ok(UnlockOnion::from_bytes(&Zeroizing::new(bytes))),
            Err(error) if error.is_not_there() || error.is_damage() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes that file in one step, mode 0600; the one before is overwritten.
    ///
    /// # Errors
    /// [`DiskError`]; then the file is as it was.
    pub fn write_unlock_onion(&self, onion: &UnlockOnion) -> Result<(), DiskError> {
        disk::replace(&self.unlock_onion_file(), &onion.to_bytes())
    }

    /// Overwrites that file and removes it, and what a crash may have left of writing it; it is well if there is none.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn remove_unlock_onion(&self) -> Result<(), DiskError> {
        disk::destroy(&self.unlock_onion_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::fs::Mode;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn onion() -> UnlockOnion {
        UnlockOnion {
            secret: Zeroizing::new([7; 32]),
            clients: vec![[1; 32], [2; 32]],
            tor_config: "[tor_network]\n".into(),
        }
    }

    fn store() -> (tempfile::TempDir, DataDir) {
        let home = tempfile::tempdir().unwrap();
        let data = DataDir::create(&home.path().join("data")).unwrap();
        (home, data)
    }

    #[test]
    fn what_is_written_is_read_and_nobody_else_reads_it() {
        let (_home, data) = store();
        assert_eq!(data.unlock_onion().unwrap(), None);
        data.write_unlock_onion(&onion()).unwrap();
        assert_eq!(data.unlock_onion().unwrap(), Some(onion()));
        let mode = std::fs::metadata(data.unlock_onion_file()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = UnlockOnion { clients: vec![[3; 32]], ..onion() };
        data.write_unlock_onion(&other).unwrap();
        assert_eq!(data.unlock_onion().unwrap(), Some(other));
    }

    #[test]
    fn removed_it_is_overwritten_and_gone_with_what_a_crash_left() {
        let (home, data) = store();
        data.write_unlock_onion(&onion()).unwrap();
        // Who holds it open sees what becomes of its bytes.
        let mut held = std::fs::File::open(data.unlock_onion_file()).unwrap();
        std::fs::write(data.root().join("unlock-onion.new"), onion().to_bytes()).unwrap();
        data.remove_unlock_onion().unwrap();
        let left: Vec<_> = std::fs::read_dir(home.path().join("data"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("onion"))
            .collect();
        assert_eq!(left, Vec::<String>::new());
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut held, &mut bytes).unwrap();
        assert!(bytes.len() >= onion().to_bytes().len() && bytes.iter().all(|byte| *byte == 0));
        data.remove_unlock_onion().unwrap();
    }

    #[test]
    fn what_is_not_ours_is_no_service() {
        let text = String::from_utf8(onion().to_bytes().to_vec()).unwrap();
        assert_eq!(UnlockOnion::from_bytes(text.as_bytes()), Some(onion()));
        let (key, device) = ("07".repeat(32), "01".repeat(32));
        for (from, to) in [
            ("\"version\":1", "\"version\":2".to_owned()),
            ("\"version\":1", "\"version\":-1".to_owned()),
            ("{", "{\"more\":1,".to_owned()),
            ("\"tor\"", "\"tor\":\"\",\"tor\"".to_owned()),
            (key.as_str(), key.replacen("07", "", 1)),
            (key.as_str(), format!("{key}07")),
            (key.as_str(), "zz".repeat(32)),
            (key.as_str(), "é".repeat(32)),
            (device.as_str(), String::new()),
            ("]", format!("{}]", format!(",\"{device}\"").repeat(MOST_CLIENTS))),
            ("}", String::new()),
            ("}", "}}".to_owned()),
        ] {
            let bad = text.replacen(from, &to, 1);
            assert_ne!(bad, text);
            assert_eq!(UnlockOnion::from_bytes(bad.as_bytes()), None, "{bad}");
        }
        let nobody = UnlockOnion { clients: Vec::new(), ..onion() };
        assert_eq!(UnlockOnion::from_bytes(&nobody.to_bytes()), None, "that would be everybody");
        let long = UnlockOnion { tor_config: "#".repeat(LONGEST_CONFIG + 1), ..onion() };
        assert_eq!(UnlockOnion::from_bytes(&long.to_bytes()), None);
        let nested = "[".repeat(100_000);
        assert_eq!(UnlockOnion::from_bytes(nested.as_bytes()), None);
    }

    #[test]
    fn what_stands_in_its_place_is_not_waited_for() {
        let (home, data) = store();
        let path = data.unlock_onion_file();
        std::fs::write(&path, vec![b' '; MAX_BYTES + 1]).unwrap();
        assert_eq!(data.unlock_onion().unwrap(), None, "too long");
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert_eq!(data.unlock_onion().unwrap(), None, "a pipe that nobody writes to");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(home.path().join("elsewhere"), onion().to_bytes()).unwrap();
        symlink(home.path().join("elsewhere"), &path).unwrap();
        assert_eq!(data.unlock_onion().unwrap(), None, "a link");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(data.unlock_onion().unwrap(), None, "a folder");
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..300, to in any::<u8>()) {
            let _ = UnlockOnion::from_bytes(&bytes);
            let mut near = onion().to_bytes().to_vec();
            if let Some(byte) = near.get_mut(at) {
                *byte = to;
            }
            let _ = UnlockOnion::from_bytes(&near);
        }
    }
}
