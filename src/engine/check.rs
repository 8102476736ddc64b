//! Checking and repairing: every seal is opened, every message compared with its id, and what the packs hold and the
//! database does not is taken in again.
//!
//! Only what is known to be damaged is ever dropped. A disk that cannot be read just now (a folder that is not mounted, no
//! permission, too many open files) ends the check with a sentence and changes nothing.

use super::adopt::{Broken, adopt_from};
use super::app::App;
use super::events::{Pace, Progress, Watcher};
use super::failure::{Failure, blocking};
use super::{restore, snapshots};
use crate::mail::ids::MessageNumber;
use crate::storage::database::messages::MessageRow;
use crate::storage::database::{self, TagChanges, commit, messages, places, tags};
use crate::storage::index::IndexError;
use crate::storage::packs::PackError;
use serde::Serialize;
use std::collections::BTreeSet;
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
    if !database::keys::decisions_hold(&mut *app.reader.get().await?).await? {
        checked.found(
            "What was decided about keys was changed afterwards; compare the keys of your contacts anew",
        );
    }
    check_tables(app, repair, &mut checked).await?;
    check_snapshots(app, repair, &mut checked).await?;
    check_index(app, repair, &mut checked).await?;
    let mut broken = read_all(app, &mut checked, watcher).await?;
    if repair {
        let adopted = adopt_from(app, None, &mut broken).await?;
        if let Some(trouble) = adopted.trouble {
            return Err(trouble.into());
        }
        checked.repaired += adopted.taken_in + adopted.mended;
        drop_broken(app, &broken, &mut checked).await?;
        app.indexing.catch_up(app, watcher).await?;
    } else if checked.damaged == 0 {
        restore::forget_damaged(&app.data)?;
    }
    Ok(checked)
}

async fn check_tables(app: &Arc<App>, repair: bool, checked: &mut Checked) -> Result<(), Failure> {
    let packs = Arc::clone(&app.packs);
    let (hurt, mended) = blocking(move || {
        let hurt = packs.hurt()?;
        let mended = if repair { Some(packs.mend()?) } else { None };
        Ok::<_, PackError>((hurt, mended))
    })
    .await?;
    for number in hurt.tables {
        checked.found(format!("A copy of the key table of the pack {number:08} is damaged or gone"));
    }
    for number in hurt.headers {
        checked.found(format!("The beginning of the pack {number:08} is damaged"));
    }
    checked.repaired += mended.map_or(0, |m| (m.tables_mended + m.headers_mended) as u64);
    Ok(())
}

async fn check_snapshots(app: &Arc<App>, repair: bool, checked: &mut Checked) -> Result<(), Failure> {
    let problems = snapshots::verify(app).await?;
    if repair && !problems.is_empty() {
        snapshots::renew(app).await?;
        checked.repaired += problems.len() as u64;
    }
    problems.into_iter().for_each(|words| checked.found(words));
    Ok(())
}

async fn check_index(app: &Arc<App>, repair: bool, checked: &mut Checked) -> Result<(), Failure> {
    let index = app.indexing.index();
    let looked_at = Arc::clone(&index);
    match blocking(move || Ok::<_, Failure>(looked_at.verify())).await? {
        Err(IndexError::Damaged) => {
            checked.found("The search index is damaged; it is built anew from the mail");
            if repair {
                app.indexing.replace(&index).await?;
                checked.repaired += 1;
            }
            Ok(())
        }
        other => Ok(other?),
    }
}

/// What is wrong with the bytes behind a row, in words; nothing where they are sound.
fn problem(app: &App, row: &MessageRow) -> Result<Option<String>, Failure> {
    match app.packs.read(row.place) {
        Ok(record) if app.identifier.identify(&record.raw) == row.id => Ok(None),
        Ok(_) => Ok(Some("its bytes are not those it was stored with".to_owned())),
        // A place that nothing was ever stored at is that of a pack that was cut short.
        Err(error @ (PackError::Damaged(_) | PackError::Destroyed(_) | PackError::Missing(_))) => {
            Ok(Some(error.to_string()))
        }
        Err(PackError::Gone(pack)) => Err(Failure::failed(format!(
            "{}. Nothing was changed. Where it is lost for good, put an empty file of that name into {} and repair again",
            PackError::Gone(pack),
            app.data.packs().display()
        ))),
        Err(error) => Err(error.into()),
    }
}

async fn read_all(app: &Arc<App>, checked: &mut Checked, watcher: &dyn Watcher) -> Result<Broken, Failure> {
    let (total, _) = messages::totals(&mut *app.reader.get().await?).await?;
    let alive = tags::bitmap(&mut *app.reader.get().await?, tags::ALL).await?;
    let (mut at, mut broken) = (MessageNumber(0), Broken::new());
    let pace = Pace::new(Duration::from_millis(200));
    loop {
        let rows = messages::after(&mut *app.reader.get().await?, at, 200).await?;
        let Some(last) = rows.last() else { return Ok(broken) };
        at = last.number;
        let worker = Arc::clone(app);
        let alive = alive.clone();
        let results = blocking(move || {
            rows.into_iter()
                .filter(|row| alive.contains(row.number.0))
                .map(|row| problem(&worker, &row).map(|problem| (row, problem)))
                .collect::<Result<Vec<_>, Failure>>()
        })
        .await?;
        for (row, problem) in results {
            checked.messages += 1;
            if let Some(words) = problem {
                checked.found(format!("The message {} cannot be read: {words}", row.id));
                broken.insert(row.id, row.number);
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
async fn drop_broken(app: &Arc<App>, broken: &Broken, checked: &mut Checked) -> Result<(), Failure> {
    if broken.is_empty() {
        return Ok(());
    }
    let numbers: Vec<MessageNumber> = broken.values().copied().collect();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let held = places::of_messages(&mut c, numbers.iter().copied()).await?;
    let fetched: BTreeSet<_> = held.iter().map(|p| p.message).collect();
    let mut changes = TagChanges::default();
    messages::delete(&mut c, &numbers, &mut changes).await?;
    tags::apply(&mut c, &changes).await?;
    commit(c).await?;
    let lost = numbers.len() - fetched.len();
    checked.lost += lost as u64;
    checked.repaired += fetched.len() as u64;
    if !fetched.is_empty() {
        checked
            .findings
            .push(format!("{} damaged messages will be fetched again at the next sync", fetched.len()));
    }
    Ok(())
}
