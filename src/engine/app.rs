//! Everything that is open while the store is unlocked.

use super::events::{Event, Progress, Watcher};
use super::failure::{Failure, blocking};
use super::indexing::Indexing;
use super::snapshots;
use crate::crypto::master_key::{Identifier, MasterKey, Use};
use crate::crypto::secret::Key;
use crate::mail::address::canonical;
use crate::mail::ids::{AccountId, MessageId};
use crate::network::dialer::Dialer;
use crate::storage::data_dir::DataDir;
use crate::storage::database::{self, Reader, Writer, accounts, settings, tags};
use crate::storage::packs::Packs;
use crate::storage::pictures::Pictures;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::{Notify, broadcast, watch};

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
    /// Copies of such pictures.
    pub(in crate::engine) pictures: Pictures,
    /// Held while the outbox is worked on: nothing is tried twice at a time.
    pub(in crate::engine) outbox_busy: tokio::sync::Mutex<()>,
    /// Told when signatures of new mail are to be checked.
    pub signatures_wanted: Notify,
    /// Told when accounts were added, changed or removed.
    pub accounts_changed: Notify,
    /// Health of what runs in the background.
    pub health: Mutex<std::collections::BTreeMap<String, String>>,
}

impl App {
    /// Opens everything with the master key.
    ///
    /// # Errors
    /// When a part is damaged or the disk fails.
    pub async fn open(data: DataDir, master: &MasterKey, store_id: [u8; 16]) -> Result<Arc<Self>, Failure> {
        let (packs_path, index_path) = (data.packs(), data.index());
        let (pack_key, index_key) = (master.subkey(Use::PackKeys), master.subkey(Use::Index));
        let packs = blocking(move || Packs::open(&packs_path, &pack_key, store_id)).await?;
        let (reader, writer) = database::open(&data.database(), &master.subkey(Use::Database)).await?;
        let indexing = blocking(move || Indexing::open(&index_path, &index_key, store_id)).await?;
        let mut connection = reader.get().await?;
        let extra = settings::get(&mut connection, "extra-ca").await?;
        let extra: Vec<Vec<u8>> = match extra.filter(|path| !path.is_empty()) {
            Some(path) => vec![std::fs::read(&path).map_err(|e| {
                Failure::failed(format!(
                    "The file of extra-ca, {path}, cannot be read: {}",
                    super::import::plain(&e)
                ))
            })?],
            None => Vec::new(),
        };
        drop(connection);
        let pictures = Pictures::new(data.pictures());
        let app = Arc::new(Self {
            data,
            pictures,
            remote: super::remote::Fetching::default(),
            reader,
            writer: tokio::sync::Mutex::new(writer),
            packs: Arc::new(packs),
            indexing,
            opener: super::preview::Opener::default(),
            dialer: Dialer::new(&extra)?,
            identifier: master.identifier(),
            tokens: master.subkey(Use::Tokens),
            snapshots: master.subkey(Use::Snapshots),
            events: broadcast::channel(256).0,
            own: RwLock::default(),
            acquaintances: super::sender::Acquaintances::default(),
            passes: Mutex::default(),
            push_wanted: watch::channel(()).0,
            outbox_wanted: Notify::new(),
            outbox_busy: tokio::sync::Mutex::default(),
            signatures_wanted: Notify::new(),
            accounts_changed: Notify::new(),
            health: Mutex::default(),
        });
        app.learn_own_addresses().await?;
        super::check::adopt(&app).await?;
        super::outbox::recover(&app).await?;
        super::settings::apply(&app).await?;
        super::remote::tidy(&app).await;
        let last = tags::bitmap(&mut *app.reader.get().await?, tags::ALL).await?.max().unwrap_or(0);
        app.indexing.begin(last).await;
        Ok(app)
    }

    /// Finishes what is open: the index is committed, the database copied into a snapshot when it is time, files are closed.
    pub async fn close(&self) {
        self.remote.stop();
        if let Err(error) = self.indexing.commit().await {
            tracing::warn!(%error, "The index could not be finished; it will catch up");
        }
        if let Err(error) = snapshots::make_if_due(self).await {
            tracing::warn!(%error, "The snapshot of the database could not be made");
        }
        let writer = self.writer.lock().await;
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

/// A watcher that tells the open pages.
pub struct Telling<'a>(pub &'a App);

impl Watcher for Telling<'_> {
    fn progress(&self, progress: Progress) {
        let Progress { deed, done, total, unit, words } = progress;
        let words = if words.is_empty() { format!("{done} of {total} {unit}") } else { words };
        self.0.tell(Event::Progress { words: format!("{deed}: {words}") });
    }
}
