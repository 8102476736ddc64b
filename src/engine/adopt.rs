//! Taking in what the packs hold and the database does not know, or knows only at a place that is damaged.

use super::app::App;
use super::failure::{Failure, blocking};
use super::receive::{Incoming, Origin, keep, understand_lying};
use crate::mail::ids::{MessageId, MessageNumber, Uid};
use crate::storage::database::{FolderRow, accounts, commit, messages};
use crate::storage::packs::{PackError, Record, RecordMeta, RecordPlace};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Messages whose bytes cannot be read where their rows point to.
pub(super) type Broken = BTreeMap<MessageId, MessageNumber>;

/// What was taken in.
#[derive(Default)]
pub(super) struct Adopted {
    /// Messages that the database did not know.
    pub(super) taken_in: u64,
    /// Broken ones of which a good record was found.
    pub(super) mended: u64,
    /// What kept a part of the packs from being read and is no damage.
    pub(super) trouble: Option<PackError>,
}

/// Takes in what was appended to the packs after the last message that the database knows: a kill came in between, or
/// the database is a restored snapshot.
///
/// # Errors
/// When the store fails.
pub(super) async fn adopt(app: &Arc<App>) -> Result<(), Failure> {
    let last = messages::last_record(&mut *app.reader.get().await?).await?;
    if let Some(last) = last {
        app.packs.go_on_after(last.pack);
    }
    let adopted = adopt_from(app, last, &mut Broken::new()).await?;
    if let Some(error) = adopted.trouble {
        tracing::warn!(%error, "The packs could not be read to their end; what they hold is taken in later");
    }
    if adopted.taken_in > 0 {
        tracing::info!(adopted.taken_in, "Took in messages that the packs had and the database did not");
    }
    Ok(())
}

/// Records are read from the packs until there are so many …
const STRIDE: usize = 200;
/// … or so many bytes of them.
const STRIDE_BYTES: usize = 8 << 20;

/// Reads the packs from a place on. Rows in `broken` are pointed at good records of the same bytes, and leave it.
pub(super) async fn adopt_from(
    app: &Arc<App>,
    from: Option<RecordPlace>,
    broken: &mut Broken,
) -> Result<Adopted, Failure> {
    let worker = Arc::clone(app);
    let (sender, mut receiver) = mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || read(&worker, from, &sender));
    let mut adopted = Adopted::default();
    while let Some(records) = receiver.recv().await {
        adopt_some(app, records, broken, &mut adopted).await?;
    }
    adopted.trouble = reading
        .await
        .map_err(|_| Failure::failed("Reading the packs broke off inside Mailkeep; please report it"))?;
    Ok(adopted)
}

fn read(
    app: &App,
    from: Option<RecordPlace>,
    sender: &mpsc::Sender<Vec<(RecordPlace, Record)>>,
) -> Option<PackError> {
    let (mut some, mut bytes) = (Vec::with_capacity(STRIDE), 0);
    let mut trouble = None;
    for (place, record) in app.packs.scan(from) {
        match record {
            Ok(record) => {
                bytes += record.raw.len();
                some.push((place, record));
            }
            Err(PackError::Destroyed(_)) => {}
            Err(error @ (PackError::Damaged(_) | PackError::Missing(_))) => {
                tracing::warn!(%error, "A record of the packs cannot be read");
            }
            Err(error) => {
                trouble.get_or_insert(error);
            }
        }
        if some.len() == STRIDE || bytes >= STRIDE_BYTES {
            bytes = 0;
            if sender.blocking_send(std::mem::take(&mut some)).is_err() {
                return trouble;
            }
        }
    }
    drop(sender.blocking_send(some));
    trouble
}

async fn adopt_some(
    app: &Arc<App>,
    records: Vec<(RecordPlace, Record)>,
    broken: &mut Broken,
    adopted: &mut Adopted,
) -> Result<(), Failure> {
    let ids: Vec<_> = records.iter().map(|(_, record)| app.identifier.identify(&record.raw)).collect();
    let known = messages::known(&mut *app.reader.get().await?, &ids).await?;
    let mut found = Vec::new();
    let mut unknown = Vec::new();
    for ((place, record), id) in records.into_iter().zip(ids) {
        if let Some(number) = broken.remove(&id) {
            found.push((number, place));
        } else if !known.contains_key(&id) {
            unknown.push((place, record));
        }
    }
    if !found.is_empty() {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        for (number, place) in &found {
            messages::set_record(&mut c, *number, *place).await?;
        }
        commit(c).await?;
        adopted.mended += found.len() as u64;
    }
    if unknown.is_empty() {
        return Ok(());
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
    adopted.taken_in += keep(app, understood).await?.new as u64;
    Ok(())
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
