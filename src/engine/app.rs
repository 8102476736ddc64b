//! Everything that is open while the store is unlocked.

use super::events::{Event, Progress, Watcher};
use super::failure::{Failure, blocking};
use super::indexing::Indexing;
use super::sent_copies::Refusals;
use super::snapshots;
use crate::crypto::master_key::{Identifier, MasterKey, Use};
use crate::crypto::secret::Key;
use crate::mail::address::canonical;
use crate::mail::ids::{AccountId, MessageId};
use crate::network::dialer::Dialer;
use crate::storage::data_dir::DataDir;
use crate::storage::database::{self, Reader, Writer, accounts, messages, settings, tags};
use crate::storage::packs::Packs;
use crate::storage::pictures::Pictures;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// So long what runs is waited for when the store is closed: a mail server that takes longer is not.
const PATIENCE: Duration = Duration::from_secs(20);

/// The open store and what belongs to it.
pub struct App {
    /// The data directory.
    pub data: DataDir,
    /// The database, to read.
    pub reader: Reader,
    /// The database, to write: the engine alone does, one deed at a time.
    pub(in crate::engine) writer: tokio::sync::Mutex<Writer>,
    /// The mail itself.
    pub packs: Arc<Packs>,
    /// The search index.
    pub indexing: Indexing,
    /// What opens attachments, behind walls.
    pub opener: super::preview::Opener,
    /// The door to the outside.
    pub dialer: Dialer,
    /// The owner's keys.
    pub keyring: super::keyring::Keyring,
    /// The owner's devices: pairings that go on.
    pub devices: super::devices::Devices,
    /// Held while a key is made: one for each address.
    pub(in crate::engine) making_key: tokio::sync::Mutex<()>,
    pub(in crate::engine) identifier: Identifier,
    pub(in crate::engine) tokens: Key,
    pub(in crate::engine) snapshots: Key,
    events: broadcast::Sender<Event>,
    own: RwLock<BTreeSet<String>>,
    pub(in crate::engine) acquaintances: super::sender::Acquaintances,
    passes: Mutex<HashMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
    /// Changes when something is to be pushed to the servers; every account's task listens.
    pub push_wanted: watch::Sender<()>,
    /// Told when an entry of the outbox may be due.
    pub outbox_wanted: Notify,
    /// Pictures from elsewhere that are being fetched.
    pub(in crate::engine) remote: super::remote::Fetching,
    /// Pictures of correspondents that pages would show.
    pub(in crate::engine) avatars: super::avatars::Wanted,
    /// Keys that are being looked up.
    pub(in crate::engine) looking: super::lookup::Looking,
    /// Sessions from afar, and the onion service.
    pub remote_access: super::remote_access::RemoteAccess,
    /// Copies of such pictures.
    pub(in crate::engine) pictures: Pictures,
    /// Held while the outbox is worked on: nothing is tried twice at a time.
    pub(in crate::engine) outbox_busy: tokio::sync::Mutex<()>,
    /// Held while copies are laid into Sent; which accounts refuse them for now.
    pub(in crate::engine) copying: tokio::sync::Mutex<Refusals>,
    /// Held while a snapshot is made: two at a time would each write a list without the other's.
    pub(in crate::engine) snapshotting: tokio::sync::Mutex<()>,
    /// Cancelled when the store is closed: whatever runs ends at the next good place.
    pub stopping: CancellationToken,
    /// The background tasks; the store is closed when they have ended.
    pub running: TaskTracker,
    /// Held while messages are judged: what one tells of keys counts once.
    pub(in crate::engine) judging: tokio::sync::Mutex<()>,
    /// Told when messages are to be judged again.
    pub(in crate::engine) judging_wanted: Notify,
    /// Told when signatures of new mail are to be checked.
    pub signatures_wanted: Notify,
    /// Told when accounts were added, changed or removed.
    pub accounts_changed: Notify,
    /// Health of what runs in the background.
    pub health: Mutex<std::collections::BTreeMap<String, String>>,
}

impl App {
    /// Opens everything with the master key. Where there was a door to the outside while the store was locked, its Tor goes on.
    ///
    /// # Errors
    /// When a part is damaged or the disk fails.
    pub async fn open(
        data: DataDir,
        master: &MasterKey,
        store_id: [u8; 16],
        before: Option<&Dialer>,
    ) -> Result<Arc<Self>, Failure> {
        let (packs_path, index_path) = (data.packs(), data.index());
        let (pack_key, index_key) = (master.subkey(Use::PackKeys), master.subkey(Use::Index));
        let packs = blocking(move || Packs::open(&packs_path, &pack_key, store_id)).await?;
        let (key, snapshots) = (master.subkey(Use::Database), master.subkey(Use::Snapshots));
        if let Err(error) = data.clear_tmp() {
            tracing::warn!(%error, "What was needed for a moment only could not be removed");
        }
        snapshots::before_migrating(&data, &snapshots, &key).await?;
        let (reader, writer) = database::open(&data.database(), &key).await?;
        let mut connection = reader.get().await?;
        let signs = settings::get(&mut connection, super::indexing::SIGNS).await?;
        let extra = settings::get(&mut connection, "extra-ca").await?;
        drop(connection);
        let database = writer.clone();
        let indexing =
            blocking(move || Indexing::open(index_path, index_key, store_id, database, signs.as_deref()))
                .await?;
        let (dialer, trouble) = dialer(before, extra.as_deref().unwrap_or_default())?;
        let pictures = Pictures::new(data.pictures());
        let app = Arc::new(Self {
            data,
            pictures,
            remote: super::remote::Fetching::default(),
            avatars: super::avatars::Wanted::default(),
            looking: super::lookup::Looking::default(),
            remote_access: super::remote_access::RemoteAccess::default(),
            reader,
            writer: tokio::sync::Mutex::new(writer),
            packs: Arc::new(packs),
            indexing,
            opener: super::preview::Opener::default(),
            dialer,
            keyring: super::keyring::Keyring::default(),
            devices: super::devices::Devices::default(),
            making_key: tokio::sync::Mutex::default(),
            identifier: master.identifier(),
            tokens: master.subkey(Use::Tokens),
            snapshots,
            events: broadcast::channel(256).0,
            own: RwLock::default(),
            acquaintances: super::sender::Acquaintances::default(),
            passes: Mutex::default(),
            push_wanted: watch::channel(()).0,
            outbox_wanted: Notify::new(),
            outbox_busy: tokio::sync::Mutex::default(),
            copying: tokio::sync::Mutex::default(),
            snapshotting: tokio::sync::Mutex::default(),
            judging: tokio::sync::Mutex::default(),
            judging_wanted: Notify::new(),
            stopping: CancellationToken::new(),
            running: TaskTracker::new(),
            signatures_wanted: Notify::new(),
            accounts_changed: Notify::new(),
            health: Mutex::new(trouble.map(|words| ("Certificates".to_owned(), words)).into_iter().collect()),
        });
        app.learn_own_addresses().await?;
        super::keyring::learn(&app).await?;
        super::adopt::adopt(&app).await?;
        super::outbox::recover(&app).await?;
        super::settings::apply(&app).await?;
        if let Err(error) = super::remote_access::unlock_onion::settle(&app).await {
            tracing::warn!(%error, "What the unlock address needs could not be brought in line");
        }
        super::remote::tidy(&app).await;
        super::network_log::take_up(&app).await?;
        let mut connection = app.reader.get().await?;
        let alive = tags::bitmap(&mut connection, tags::ALL).await?.max().unwrap_or(0);
        let last = messages::last_number(&mut connection).await?;
        drop(connection);
        app.indexing.begin(alive, last).await;
        Ok(app)
    }

    /// Finishes what is open: the background tasks end, a message that is being handed over gets its answer noted, the index
    /// is committed, the database copied into a snapshot when it is time, files are closed. Whoever holds this store longer
    /// cannot change anything any more.
    pub async fn close(&self) {
        self.remote.stop();
        self.stopping.cancel();
        self.running.close();
        let ended = tokio::time::timeout(PATIENCE, self.running.wait()).await;
        self.devices.forget();
        self.dialer.close();
        let sending = tokio::time::timeout(PATIENCE, self.outbox_busy.lock()).await;
        if ended.is_err() || sending.is_err() {
            tracing::warn!("Something still waits for a server and is broken off");
        }
        if let Err(error) = self.indexing.commit().await {
            tracing::warn!(%error, "The index could not be finished; it will catch up");
        }
        if let Err(error) = super::network_log::keep(self).await {
            tracing::warn!(%error, "The log of connections could not be kept");
        }
        if let Err(error) = snapshots::make_if_due(self).await {
            tracing::warn!(%error, "The snapshot of the database could not be made");
        }
        let writer = self.writer.lock().await;
        self.packs.close();
        self.indexing.close();
        self.reader.close().await;
        writer.close().await;
    }

    /// The time, UTC seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second()
    }

    /// The keyed hash by which a Message-ID is known.
    #[must_use]
    pub fn link(&self, message_id: &str) -> i64 {
        self.short_digest(b"link\0", message_id.as_bytes())
    }

    /// The same for a message that bears no Message-ID: it links to nothing but itself.
    #[must_use]
    pub fn link_of_id(&self, id: MessageId) -> i64 {
        self.short_digest(b"none\0", &id.0)
    }

    /// The keyed hash by which the address of a picture is known.
    #[must_use]
    pub fn picture(&self, address: &str) -> i64 {
        self.short_digest(b"picture\0", address.as_bytes())
    }

    /// The keyed hash by which the picture of an address (canonical) is known.
    #[must_use]
    pub fn avatar(&self, address: &str) -> i64 {
        self.short_digest(b"avatar\0", address.as_bytes())
    }

    fn short_digest(&self, kind: &[u8], bytes: &[u8]) -> i64 {
        let mut input = Vec::with_capacity(kind.len() + bytes.len());
        input.extend_from_slice(kind);
        input.extend_from_slice(bytes);
        let digest = self.identifier.identify(&input);
        digest.0.first_chunk::<8>().map_or(0, |first| i64::from_be_bytes(*first))
    }

    /// Tells whoever listens.
    pub fn tell(&self, event: Event) {
        // Nobody listening is no failure.
        drop(self.events.send(event));
    }

    /// Listens to what happens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// The owner's addresses, canonical.
    #[must_use]
    pub fn own_addresses(&self) -> BTreeSet<String> {
        self.own.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts an address as the owner's without an account, for a store of sample mail.
    pub fn claim(&self, address: &str) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(canonical(address));
        self.acquaintances.forget();
    }

    pub(in crate::engine) async fn learn_own_addresses(&self) -> Result<(), Failure> {
        let mut connection = self.reader.get().await?;
        let own = accounts::list(&mut connection).await?.iter().map(|a| canonical(&a.address)).collect();
        *self.own.write().unwrap_or_else(PoisonError::into_inner) = own;
        self.acquaintances.forget();
        Ok(())
    }

    /// One sync pass of an account at a time: whoever holds this may make it.
    pub(in crate::engine) fn pass(&self, account: AccountId) -> Arc<tokio::sync::Mutex<()>> {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(passes.entry(account).or_default())
    }
}

/// The door to the outside. Without the file of `extra-ca` it opens all the same: mail is read and settings changed, and
/// only servers that need that CA are refused. Says so in words.
fn dialer(before: Option<&Dialer>, extra_ca: &str) -> Result<(Dialer, Option<String>), Failure> {
    if extra_ca.is_empty() {
        return Ok((Dialer::following(before, &[])?, None));
    }
    let words = match std::fs::read(extra_ca) {
        Ok(pem) => match Dialer::following(before, &[pem]) {
            Ok(dialer) => return Ok((dialer, None)),
            Err(error) => error.to_string(),
        },
        Err(error) => super::import::plain(&error).to_owned(),
    };
    tracing::warn!("The file of extra-ca cannot be used; servers that need it are refused");
    let words = format!(
        "The file of extra-ca, {extra_ca}, cannot be used: {words}. Put it back, or set extra-ca anew."
    );
    Ok((Dialer::following(before, &[])?, Some(words)))
}

/// A watcher that tells the open pages, and stops when the store is closed.
pub struct Telling<'a>(pub &'a App);

impl Watcher for Telling<'_> {
    fn progress(&self, progress: Progress) {
        let Progress { deed, done, total, unit, words } = progress;
        let words = if words.is_empty() { format!("{done} of {total} {unit}") } else { words };
        self.0.tell(Event::Progress { words: format!("{deed}: {words}") });
    }

    fn stopped(&self) -> bool {
        self.0.stopping.is_cancelled()
    }
}
