//! The sessions with another device: Olm's double ratchet. Both may begin one at the same time, so a few are kept; the one that
//! was last heard from is written with.

use super::device::{Device, DeviceError, verify_one_time};
use crate::mail::sma::{CONTENTS_MAX, DeviceId, Keys, OneTimeKey, Sealed};
use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{OlmMessage, Session, SessionConfig, SessionPickle};
use zeroize::Zeroizing;

/// So many sessions with one device are kept.
const MOST: usize = 4;

/// The sessions with one device, the one to write with first.
#[derive(Default)]
pub struct Sessions(Vec<Session>);

impl Sessions {
    /// Whether there is one to write with.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Begins one with a key of the other device's, which has to be signed by `keys`, those of the pairing or the roster.
    ///
    /// # Errors
    /// Where it is not, or is no key.
    pub fn begin(
        &mut self,
        me: &Device,
        them: DeviceId,
        keys: &Keys,
        key: &OneTimeKey,
    ) -> Result<(), DeviceError> {
        verify_one_time(them, keys, key)?;
        let agreement = Curve25519PublicKey::from_bytes(keys.agreement);
        let one_time = Curve25519PublicKey::from_bytes(key.key);
        let session = me.account.create_outbound_session(SessionConfig::version_1(), agreement, one_time);
        self.first(session.map_err(|_| DeviceError::Key)?);
        Ok(())
    }

    fn first(&mut self, session: Session) {
        self.0.insert(0, session);
        self.0.truncate(MOST);
    }

    /// Encrypts for the other device.
    ///
    /// # Errors
    /// Where there is no session.
    pub fn encrypt(&mut self, plain: &[u8]) -> Result<Sealed, DeviceError> {
        let session = self.0.first_mut().ok_or(DeviceError::Closed)?;
        let (kind, olm) = session.encrypt(plain).map_err(|_| DeviceError::Key)?.to_parts();
        Ok(Sealed { begins: kind == 0, olm })
    }

    /// Opens what the other device, whose keys these are, encrypted. Its signature was checked before: Olm's own code is too
    /// short to rely on alone.
    ///
    /// # Errors
    /// Where no session opens it; what was there before stays as it was.
    pub fn decrypt(
        &mut self,
        me: &mut Device,
        keys: &Keys,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let message = OlmMessage::from_parts(usize::from(!sealed.begins), &sealed.olm);
        let message = message.map_err(|_| DeviceError::Closed)?;
        let opened = self
            .0
            .iter_mut()
            .enumerate()
            .filter(|(_, session)| match &message {
                OlmMessage::PreKey(begins) => session.session_id() == begins.session_id(),
                OlmMessage::Normal(_) => true,
            })
            .find_map(|(at, session)| Some((at, session.decrypt(&message).ok()?)));
        let plain = match (opened, &message) {
            (Some((at, plain)), _) => {
                let session = self.0.remove(at);
                self.first(session);
                plain
            }
            (None, OlmMessage::PreKey(begins)) => {
                let theirs = Curve25519PublicKey::from_bytes(keys.agreement);
                let made = me.account.create_inbound_session(SessionConfig::version_1(), theirs, begins);
                let made = made.map_err(|_| DeviceError::Closed)?;
                self.first(made.session);
                made.plaintext
            }
            (None, OlmMessage::Normal(_)) => return Err(DeviceError::Closed),
        };
        let plain = Zeroizing::new(plain);
        if plain.len() > CONTENTS_MAX { Err(DeviceError::Closed) } else { Ok(plain) }
    }

    /// All of them, secrets included, for the sealed store alone.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_kept(&self) -> Result<Zeroizing<String>, DeviceError> {
        let pickles: Vec<SessionPickle> = self.0.iter().map(Session::pickle).collect();
        serde_json::to_string(&pickles).map(Zeroizing::new).map_err(|_| DeviceError::Kept)
    }

    /// The sessions again, from what the store kept.
    ///
    /// # Errors
    /// Where it is damaged.
    pub fn from_kept(kept: &str) -> Result<Self, DeviceError> {
        let pickles: Vec<SessionPickle> = serde_json::from_str(kept).map_err(|_| DeviceError::Kept)?;
        Ok(Self(pickles.into_iter().take(MOST).map(Session::from_pickle).collect()))
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({})", self.0.len())
    }
}
