//! The locked store as seen from afar: the door to the outside that it has meanwhile, and whom it lets in.

use super::{State, Vault, whole};
use crate::crypto::master_key::MasterKey;
use crate::crypto::secret::SecretText;
use crate::engine::app::App;
use crate::engine::failure::{Failure, Kind, blocking};
use crate::engine::remote_access::unlock_onion;
use crate::network::dialer::{Dialer, Tor};
use crate::storage::data_dir::DataDir;
use std::sync::{Arc, PoisonError};
use tokio::sync::{OwnedMutexGuard, watch};

/// Somebody from afar who is the owner. Until they are let in or this is dropped, everybody else waits.
pub struct Admission {
    turn: OwnedMutexGuard<State>,
    data: DataDir,
    master: MasterKey,
    store_id: [u8; 16],
    passphrase: SecretText,
}

impl Vault {
    /// Tells when somebody was in the store who may have changed what a locked one announces.
    #[must_use]
    pub fn visits(&self) -> watch::Receiver<()> {
        self.visited.subscribe()
    }

    /// The door to the outside while the store is locked, with this Tor. Its Tor goes on when the store is unlocked.
    pub(in crate::engine) fn porch(&self, tor: Tor) -> Result<Dialer, Failure> {
        let mut porch = self.porch.lock().unwrap_or_else(PoisonError::into_inner);
        let dialer = match porch.take() {
            Some(dialer) => dialer,
            None => Dialer::new(&[])?,
        };
        dialer.set_tor(tor);
        *porch = Some(dialer.clone());
        Ok(dialer)
    }

    /// Closes that door.
    pub fn close_porch(&self) {
        if let Some(porch) = self.porch.lock().unwrap_or_else(PoisonError::into_inner).take() {
            porch.close();
        }
    }

    /// Looks whether somebody from afar is the owner, while the store is locked: by the passphrase, never by the recovery key, and
    /// then by the code of this moment (`now`, UTC seconds), which is used up by it. Whatever is wrong, nobody learns which; all
    /// that was opened for it is closed, and the keys are forgotten. None also where the store is unlocked already.
    ///
    /// # Errors
    /// When the vault cannot be read or the database fails.
    pub async fn admit(
        &self,
        passphrase: &SecretText,
        code: &str,
        now: i64,
    ) -> Result<Option<Admission>, Failure> {
        let mut turn = Arc::clone(&self.state).lock_owned().await;
        if self.app().is_some() {
            return Ok(None);
        }
        let data = DataDir::open(&self.path)?;
        if turn.lock.is_none() {
            turn.lock = Some(Arc::new(data.lock()?));
        }
        let (vault, words) = (data.read_vault()?, passphrase.clone());
        let store_id = vault.store_id();
        let proved = blocking(move || Ok::<_, Failure>(vault.open_by_passphrase(&words)?)).await;
        let master = match proved {
            Ok(master) => master,
            Err(failure) if failure.kind == Kind::Locked => return Ok(None),
            Err(failure) => return Err(failure),
        };
        if !unlock_onion::is_code(&data, &master, code, now).await? {
            return Ok(None);
        }
        Ok(Some(Admission { turn, data, master, store_id, passphrase: passphrase.clone() }))
    }

    /// Unlocks the store for whoever was admitted.
    ///
    /// # Errors
    /// When something is damaged.
    pub async fn let_in(&self, admitted: Admission) -> Result<Arc<App>, Failure> {
        let Admission { mut turn, data, master, store_id, passphrase } = admitted;
        whole(&data)?;
        self.opened(&mut turn, data, &master, store_id, &passphrase).await
    }
}
