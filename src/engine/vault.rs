//! The vault: locked, or unlocked with everything open. Whoever proves the passphrase gets the open store; wherever a
//! passphrase is proved here, the recovery key will do.

mod afar;

pub use afar::Admission;

use super::app::App;
use super::failure::{Failure, Kind, blocking};
use crate::crypto::master_key::MasterKey;
use crate::crypto::passphrase::{Cost, PassphraseProof};
use crate::crypto::recovery::RecoveryKey;
use crate::crypto::secret::SecretText;
use crate::crypto::vault;
use crate::network::dialer::Dialer;
use crate::storage::data_dir::{DataDir, Lock};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// How long unlocking takes on this machine, about.
const STRETCH: Duration = Duration::from_millis(500);
/// The shortest passphrase that is taken, in characters.
pub const SHORTEST: usize = 8;

/// The store of one data directory, locked or unlocked.
pub struct Vault {
    path: PathBuf,
    state: Arc<Mutex<State>>,
    open: watch::Sender<Option<Arc<App>>>,
    /// The door to the outside while the store is locked, where there is one.
    porch: std::sync::Mutex<Option<Dialer>>,
    /// Changes when somebody was in the store while it stayed locked for everybody else.
    visited: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// Proves a passphrase without stretching it anew; known once somebody unlocked with it.
    proof: Option<PassphraseProof>,
    lock: Option<Arc<Lock>>,
}

impl Vault {
    /// The vault of a data directory that may or may not hold a store yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            state: Arc::default(),
            open: watch::channel(None).0,
            porch: std::sync::Mutex::default(),
            visited: watch::channel(()).0,
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a store is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        DataDir::holds_store(&self.path)
    }

    /// The open store, if it is unlocked.
    #[must_use]
    pub fn app(&self) -> Option<Arc<App>> {
        self.open.borrow().clone()
    }

    /// Tells when the store is unlocked and locked.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Arc<App>>> {
        self.open.subscribe()
    }

    /// Takes the data directory for this process, until it ends.
    ///
    /// # Errors
    /// When another process has it.
    pub async fn take(&self) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if state.lock.is_none() && self.exists() {
            state.lock = Some(Arc::new(DataDir::open(&self.path)?.lock()?));
        }
        Ok(())
    }

    /// Makes a new store and leaves it unlocked.
    ///
    /// # Errors
    /// When there is something already, the passphrase is too short, or the disk fails.
    pub async fn create(&self, passphrase: &SecretText, cost: Option<Cost>) -> Result<Arc<App>, Failure> {
        acceptable(passphrase)?;
        let mut state = self.state.lock().await;
        let data = DataDir::create(&self.path)?;
        state.lock = Some(Arc::new(data.lock()?));
        let words = passphrase.clone();
        let (vault, master) = blocking(move || {
            let cost = cost.unwrap_or_else(|| Cost::calibrate(STRETCH));
            Ok::<_, Failure>(vault::Vault::create(&words, cost))
        })
        .await?;
        // The vault comes last but one: without it there is no store, and with it everything it opens can be made anew.
        data.write_vault(&vault)?;
        self.opened(&mut state, data, &master, vault.store_id(), passphrase).await
    }

    /// Proves the passphrase and opens the store, or gives it where it is open already.
    ///
    /// # Errors
    /// Locked, with a wrong passphrase; otherwise when something is damaged.
    pub async fn unlock(&self, passphrase: &SecretText) -> Result<Arc<App>, Failure> {
        let mut state = self.state.lock().await;
        let known = state.proof.as_ref().is_some_and(|proof| proof.matches(passphrase));
        if known && let Some(app) = self.app() {
            return Ok(app);
        }
        let data = DataDir::open(&self.path)?;
        if state.lock.is_none() {
            state.lock = Some(Arc::new(data.lock()?));
        }
        let (master, store_id) = prove(&data, passphrase).await?;
        if let Some(app) = self.app() {
            state.proof = Some(PassphraseProof::new(passphrase));
            return Ok(app);
        }
        whole(&data)?;
        self.opened(&mut state, data, &master, store_id, passphrase).await
    }

    async fn opened(
        &self,
        state: &mut State,
        data: DataDir,
        master: &MasterKey,
        store_id: [u8; 16],
        passphrase: &SecretText,
    ) -> Result<Arc<App>, Failure> {
        let porch = self.porch.lock().unwrap_or_else(PoisonError::into_inner).take();
        let app = App::open(data, master, store_id, porch.as_ref()).await?;
        state.proof = Some(PassphraseProof::new(passphrase));
        self.open.send_replace(Some(Arc::clone(&app)));
        Ok(app)
    }

    /// Proves the passphrase; the store stays as locked or unlocked as it was.
    ///
    /// # Errors
    /// Locked, with a wrong passphrase.
    pub async fn prove(&self, passphrase: &SecretText) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if state.proof.as_ref().is_some_and(|proof| proof.matches(passphrase)) {
            return Ok(());
        }
        prove(&DataDir::open(&self.path)?, passphrase).await?;
        state.proof = Some(PassphraseProof::new(passphrase));
        Ok(())
    }

    /// Whether this is the passphrase, found out anew whatever was proved before, and never by the recovery key: how long it takes
    /// says nothing.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub async fn is_passphrase(&self, passphrase: &SecretText) -> Result<bool, Failure> {
        let _turn = self.state.lock().await;
        let (vault, words) = (DataDir::open(&self.path)?.read_vault()?, passphrase.clone());
        match blocking(move || Ok::<_, Failure>(vault.open_by_passphrase(&words)?)).await {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind == Kind::Locked => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Opens the store for one call while it stays locked for everybody else, who waits meanwhile.
    ///
    /// # Errors
    /// Locked, with a wrong passphrase; otherwise when something is damaged.
    pub async fn open_aside(&self, passphrase: &SecretText) -> Result<Aside, Failure> {
        let turn = Arc::clone(&self.state).lock_owned().await;
        if let Some(app) = self.app() {
            return Ok(Aside { app, turn: None });
        }
        let data = DataDir::open(&self.path)?;
        let (master, store_id) = prove(&data, passphrase).await?;
        whole(&data)?;
        let app = App::open(data, &master, store_id, None).await?;
        Ok(Aside { app, turn: Some((turn, self.visited.clone())) })
    }

    /// Locks: nobody is given the store any more; what runs in it ends, everything is closed, and the keys are forgotten. Who
    /// unlocks meanwhile waits until then, so that no two open stores write into the same files.
    pub async fn lock(&self) {
        let mut state = self.state.lock().await;
        let Some(app) = self.open.send_replace(None) else { return };
        app.close().await;
        state.proof = None;
    }

    /// Changes the passphrase: the vault's slot is rewritten, nothing else is.
    ///
    /// # Errors
    /// Locked, where the old one is wrong; usage, where the new one is too short.
    pub async fn change_passphrase(&self, old: &SecretText, new: &SecretText) -> Result<(), Failure> {
        acceptable(new)?;
        let mut state = self.state.lock().await;
        let data = DataDir::open(&self.path)?;
        let mut vault = data.read_vault()?;
        let (old, words) = (old.clone(), new.clone());
        let vault = blocking(move || {
            let master = vault.open(&old)?;
            vault.change_passphrase(&master, &words, Cost::calibrate(STRETCH));
            Ok::<_, Failure>(vault)
        })
        .await?;
        data.write_vault(&vault)?;
        state.proof = Some(PassphraseProof::new(new));
        if let Some(app) = self.app() {
            // Whoever came in with the old one has to come in anew.
            app.remote_access.sessions.end_all();
        }
        Ok(())
    }

    /// Makes a recovery key; the one before opens nothing any more. It is kept nowhere: whoever asks shows it to the owner.
    ///
    /// # Errors
    /// Locked, where the passphrase is wrong.
    pub async fn make_recovery_key(&self, passphrase: &SecretText, now: i64) -> Result<RecoveryKey, Failure> {
        let mut state = self.state.lock().await;
        let data = DataDir::open(&self.path)?;
        let mut vault = data.read_vault()?;
        let words = passphrase.clone();
        let (vault, key) = blocking(move || {
            let master = vault.open(&words)?;
            let key = RecoveryKey::random();
            vault.set_recovery_key(&master, &key, now);
            Ok::<_, Failure>((vault, key))
        })
        .await?;
        data.write_vault(&vault)?;
        // It may be the recovery key from before that was proved last.
        state.proof = None;
        Ok(key)
    }

    /// The master key, for repair.
    ///
    /// # Errors
    /// Locked, with a wrong passphrase.
    pub async fn master(&self, passphrase: &SecretText) -> Result<(DataDir, MasterKey, [u8; 16]), Failure> {
        let mut state = self.state.lock().await;
        let data = DataDir::open(&self.path)?;
        if state.lock.is_none() {
            state.lock = Some(Arc::new(data.lock()?));
        }
        let (master, store_id) = prove(&data, passphrase).await?;
        Ok((data, master, store_id))
    }
}

/// The store, open for one call.
pub struct Aside {
    /// The open store.
    pub app: Arc<App>,
    turn: Option<(OwnedMutexGuard<State>, watch::Sender<()>)>,
}

impl Aside {
    /// Closes it again, unless it was open for everybody.
    pub async fn close(self) {
        if let Some((turn, visited)) = self.turn {
            self.app.close().await;
            drop(turn);
            visited.send_replace(());
        }
    }
}

/// Without its database a store is not opened as an empty one: what the packs and snapshots hold is to be repaired first.
fn whole(data: &DataDir) -> Result<(), Failure> {
    let holds = |folder: PathBuf| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if !data.database().exists() && (holds(data.packs()) || holds(data.snapshots())) {
        return Err(Failure::damaged(
            "The database is gone; run `mailkeep check --repair` to make it anew from the packs and the newest snapshot",
        ));
    }
    Ok(())
}

async fn prove(data: &DataDir, passphrase: &SecretText) -> Result<(MasterKey, [u8; 16]), Failure> {
    let vault = data.read_vault()?;
    let words = passphrase.clone();
    blocking(move || Ok::<_, Failure>((vault.open(&words)?, vault.store_id()))).await
}

/// Whether a passphrase may be taken.
///
/// # Errors
/// Usage, where it is too short.
pub fn acceptable(passphrase: &SecretText) -> Result<(), Failure> {
    if passphrase.expose().chars().count() < SHORTEST {
        return Err(Failure::usage(format!(
            "The passphrase is too short: take {SHORTEST} characters or more, best several words that do not belong together"
        )));
    }
    Ok(())
}

/// How good a passphrase is: 0 (guessed at once) to 4 (beyond guessing), and that in words.
#[must_use]
pub fn strength(passphrase: &SecretText) -> (u8, String) {
    let text: String = passphrase.expose().chars().take(100).collect();
    if text.chars().count() < SHORTEST {
        return (0, format!("Too short: {SHORTEST} characters or more"));
    }
    let score = u8::from(zxcvbn::zxcvbn(&text, &["mailkeep"]).score());
    let words = match score {
        0 | 1 => "Weak: somebody with your disk guesses it within hours",
        2 => "Fair: it holds for days; add a word",
        3 => "Good: it holds for years",
        _ => "Strong: beyond guessing",
    };
    (score, words.to_owned())
}
