//! Checking and repairing: every seal is opened, every message compared with its id, and what the packs hold and the
//! database does not is taken in again.

use super::app::App;
use super::events::{Pace, Progress, Watcher};
use super::failure::{Failure, blocking};
use super::receive::{Incoming, Origin, keep, understand_lying};
use super::snapshots;
use super::vault::Vault;
use crate::crypto::master_key::Use;
use crate::crypto::secret::SecretText;
use crate::mail::ids::{MessageNumber, Uid};
use crate::storage::database::{self, FolderRow, TagChanges, accounts, commit, messages, places, tags};
use crate::storage::packs::{PackError, Record, RecordMeta, RecordPlace};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// What a check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// Messages that were read.
    pub messages: u64,
    /// Of these, damaged ones; and other damage.
    pub damaged: u64,
    /// What was mended.
    pub repaired: u64,
    /// Messages that are gone for good.
    pub lost: u64,
    /// The damage in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

impl Checked {
    fn found(&mut self, words: impl Into<String>) {
        self.damaged += 1;
        if self.findings.len() < 50 {
            self.findings.push(words.into());
        }
    }
}

/// Reads everything and verifies it; with `repair`, mends what can be mended.
///
/// # Errors
/// When the store cannot be read at all. Damage that was found stands in the answer.
pub async fn check(app: &Arc<App>, repair: bool, watcher: &dyn Watcher) -> Result<Checked, Failure> {
    let mut checked = Checked::default();
    for words in database::integrity(&mut *app.reader.get().await?).await?.into_iter().take(20) {
        checked.found(format!("The database is damaged: {words}"));
    }
    if repair {
        let packs = Arc::clone(&app.packs);
        let report = blocking(move || packs.mend()).await?;
        checked.repaired += (report.tables_mended + report.headers_mended) as u64;
    }
    let broken = read_all(app, &mut checked, watcher).await?;
    if repair {
        checked.repaired += adopt_from(app, None).await?;
        drop_broken(app, &broken, &mut checked).await?;
        app.indexing.catch_up(app, watcher).await?;
    }
    Ok(checked)
}

async fn read_all(
    app: &Arc<App>,
    checked: &mut Checked,
    watcher: &dyn Watcher,
) -> Result<Vec<MessageNumber>, Failure> {
    let (total, _) = messages::totals(&mut *app.reader.get().await?).await?;
    let alive = tags::bitmap(&mut *app.reader.get().await?, tags::ALL).await?;
    let (mut at, mut broken) = (MessageNumber(0), Vec::new());
    let pace = Pace::new(Duration::from_millis(200));
    loop {
        let rows = messages::after(&mut *app.reader.get().await?, at, 200).await?;
        let Some(last) = rows.last() else { return Ok(broken) };
        at = last.number;
        let worker = Arc::clone(app);
        let alive = alive.clone();
        let results = blocking(move || {
            Ok::<_, Failure>(
                rows.into_iter()
                    .filter(|row| alive.contains(row.number.0))
                    .map(|row| {
                        let fine = match worker.packs.read(row.place) {
                            Ok(record) if worker.identifier.identify(&record.raw) == row.id => None,
                            Ok(_) => Some("its bytes are not those it was stored with".to_owned()),
                            Err(error) => Some(error.to_string()),
                        };
                        (row, fine)
                    })
                    .collect::<Vec<_>>(),
            )
        })
        .await?;
        for (row, problem) in results {
            checked.messages += 1;
            if let Some(words) = problem {
                checked.found(format!("The message {} cannot be read: {words}", row.id));
                broken.push(row.number);
            }
        }
        if pace.due() {
            watcher.progress(Progress {
                deed: "Checking".into(),
                done: checked.messages,
                total,
                unit: "messages".into(),
                words: String::new(),
            });
        }
    }
}

/// Rows whose bytes are gone are dropped; where a server still holds the message, the next sync fetches it again.
async fn drop_broken(app: &Arc<App>, broken: &[MessageNumber], checked: &mut Checked) -> Result<(), Failure> {
    if broken.is_empty() {
        return Ok(());
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let held = places::of_messages(&mut c, broken.iter().copied()).await?;
    let fetched: std::collections::BTreeSet<_> = held.iter().map(|p| p.message).collect();
    let mut changes = TagChanges::default();
    messages::delete(&mut c, broken, &mut changes).await?;
    tags::apply(&mut c, &changes).await?;
    commit(c).await?;
    let lost = broken.len() - fetched.len();
    checked.lost += lost as u64;
    checked.repaired += fetched.len() as u64;
    if !fetched.is_empty() {
        checked
            .findings
            .push(format!("{} damaged messages will be fetched again at the next sync", fetched.len()));
    }
    Ok(())
}

/// Takes in what was appended to the packs after the last message that the database knows: a kill came in between, or
/// the database is a restored snapshot.
///
/// # Errors
/// When the store fails.
pub async fn adopt(app: &Arc<App>) -> Result<(), Failure> {
    let last = messages::last_record(&mut *app.reader.get().await?).await?;
    let adopted = adopt_from(app, last).await?;
    if adopted > 0 {
        tracing::info!(adopted, "Took in messages that the packs had and the database did not");
    }
    Ok(())
}

/// Records read from the packs at a time while adopting.
const STRIDE: usize = 200;

async fn adopt_from(app: &Arc<App>, from: Option<RecordPlace>) -> Result<u64, Failure> {
    let packs = Arc::clone(&app.packs);
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<(RecordPlace, Record)>>(1);
    let reading = tokio::task::spawn_blocking(move || {
        let mut some = Vec::with_capacity(STRIDE);
        for (place, record) in packs.scan(from) {
            match record {
                Ok(record) => some.push((place, record)),
                Err(PackError::Destroyed(_)) => {}
                Err(error) => tracing::warn!(%error, "A record of the packs cannot be read"),
            }
            if some.len() == STRIDE && sender.blocking_send(std::mem::take(&mut some)).is_err() {
                return;
            }
        }
        drop(sender.blocking_send(some));
    });
    let mut adopted = 0;
    while let Some(records) = receiver.recv().await {
        adopted += adopt_some(app, records).await?;
    }
    reading
        .await
        .map_err(|_| Failure::failed("Reading the packs broke off inside Mailkeep; please report it"))?;
    Ok(adopted)
}

async fn adopt_some(app: &Arc<App>, records: Vec<(RecordPlace, Record)>) -> Result<u64, Failure> {
    let ids: Vec<_> = records.iter().map(|(_, record)| app.identifier.identify(&record.raw)).collect();
    let known = messages::known(&mut *app.reader.get().await?, &ids).await?;
    let unknown: Vec<_> = records
        .into_iter()
        .zip(ids)
        .filter(|(_, id)| !known.contains_key(id))
        .map(|(record, _)| record)
        .collect();
    if unknown.is_empty() {
        return Ok(0);
    }
    let folders = folders(app).await?;
    let worker = Arc::clone(app);
    let understood = blocking(move || {
        Ok::<_, Failure>(
            unknown
                .into_iter()
                .map(|(place, record)| {
                    let origin = origin(&record.meta, &folders);
                    let incoming = Incoming { raw: record.raw, received_at: record.meta.received_at, origin };
                    understand_lying(&worker, incoming, place)
                })
                .collect::<Vec<_>>(),
        )
    })
    .await?;
    Ok(keep(app, understood).await?.new as u64)
}

type Folders = BTreeMap<(String, String, u32), FolderRow>;

async fn folders(app: &App) -> Result<Folders, Failure> {
    let mut reader = app.reader.get().await?;
    let owners: BTreeMap<_, _> =
        accounts::list(&mut reader).await?.into_iter().map(|a| (a.id, a.address)).collect();
    let folders = accounts::folders(&mut reader, None).await?;
    Ok(folders
        .into_iter()
        .filter_map(|f| Some(((owners.get(&f.account)?.clone(), f.name.clone(), f.uid_validity.0), f)))
        .collect())
}

/// Where an adopted message lies: in its folder, where that is still known, otherwise here, under the role it had.
fn origin(meta: &RecordMeta, folders: &Folders) -> Origin {
    let key = (meta.account.clone(), meta.folder.clone(), meta.uid_validity);
    if let Some(folder) = folders.get(&key).filter(|_| meta.uid > 0) {
        return Origin::Server {
            folder: folder.id,
            account: meta.account.clone(),
            folder_name: meta.folder.clone(),
            role: folder.role.clone(),
            uid_validity: meta.uid_validity,
            uid: Uid(meta.uid),
            flags: super::flags::from_tags(meta.tags.iter().map(String::as_str)),
            keywords: String::new(),
        };
    }
    let role = match meta.role.as_str() {
        "" => "archive",
        "outbox" => "draft",
        role => role,
    };
    Origin::Local { role: role.to_owned(), tags: meta.tags.clone() }
}

/// Whether the database is there and opens; if not, it is put aside and made anew from the newest good snapshot.
/// Gives a sentence on what was done, if anything was.
///
/// # Errors
/// Locked, with a wrong passphrase; otherwise when the disk fails.
pub async fn mend_database(vault: &Vault, passphrase: &SecretText) -> Result<Option<String>, Failure> {
    let (data, master, _) = vault.master(passphrase).await?;
    let path = data.database();
    let key = master.subkey(Use::Database);
    if path.exists() {
        match database::open(&path, &key).await {
            Ok((reader, writer)) => {
                let complaints = match reader.get().await {
                    Ok(mut connection) => database::integrity(&mut connection).await,
                    Err(error) => Err(error),
                };
                reader.close().await;
                writer.close().await;
                if complaints.is_ok_and(|c| c.is_empty()) {
                    return Ok(None);
                }
            }
            Err(database::DatabaseError::Damaged) => {}
            Err(error) => return Err(error.into()),
        }
        put_aside(&path)?;
    }
    let restored = snapshots::restore(&data.snapshots(), &master.subkey(Use::Snapshots), &path, &key).await?;
    if !restored {
        let (reader, writer) = database::open(&path, &key).await?;
        reader.close().await;
        writer.close().await;
    }
    Ok(Some(if restored {
        "The database was made anew from its newest snapshot and the packs".to_owned()
    } else {
        "The database was made anew from the packs; there was no snapshot, so accounts, tags and settings are gone".to_owned()
    }))
}

fn put_aside(path: &std::path::Path) -> Result<(), Failure> {
    let cannot = |e: std::io::Error| {
        Failure::failed(format!("Cannot put the damaged database aside: {}", super::import::plain(&e)))
    };
    for suffix in ["-wal", "-shm"] {
        let mut log = path.as_os_str().to_owned();
        log.push(suffix);
        if fs::exists(&log).map_err(cannot)? {
            fs::remove_file(&log).map_err(cannot)?;
        }
    }
    fs::rename(path, path.with_extension("damaged")).map_err(cannot)
}
