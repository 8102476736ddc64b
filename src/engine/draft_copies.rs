//! Copies of drafts on the server, encrypted to the owner alone and unsigned, so that what is begun here can be gone on with in
//! another program of the owner's. They are laid when the owner stopped typing, replaced when the draft changes, and removed
//! when it is sent or discarded. Here they are not fetched: the draft itself lies here.

use super::accounts::Settings;
use super::app::App;
use super::drafts::{self, Content};
use super::failure::{Failure, blocking};
use super::keyring::Own;
use super::outgoing::{self, Wish};
use crate::crypto::openpgp;
use crate::mail::address::canonical;
use crate::mail::autocrypt::DraftState;
use crate::mail::compose::{self, Draft};
use crate::mail::envelope;
use crate::mail::ids::FolderId;
use crate::network::imap::{ImapError, Session};
use crate::storage::database::drafts::DraftCopyRow;
use crate::storage::database::{
    AccountRow, DatabaseError, DraftRow, FolderRow, accounts, commit, drafts as table, skipped,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Why a sync steps over such a copy.
pub const STEPPED_OVER: &str = "It is a copy of a draft that lies here";
/// A draft is copied when it was not changed for so long, in seconds.
const QUIET: i64 = 10;
/// How often drafts are looked at.
const EVERY: Duration = Duration::from_secs(15);
/// After a server was not reached it is left alone for so long.
const LATER: Duration = Duration::from_secs(300);
/// A draft whose content is larger stays here only, in bytes: it would go over the line anew with every change.
const LARGEST: usize = 5 << 20;

/// What is to be done at one account's server.
struct Work {
    account: AccountRow,
    own: Own,
    lay: Vec<(DraftRow, Content, String)>,
    remove: Vec<DraftCopyRow>,
    before: Vec<DraftCopyRow>,
}

/// Why copies could not be brought up to date.
enum Trouble {
    /// The server is away, or refuses: it is asked again later.
    Server(ImapError),
    /// The store fails.
    Store(Failure),
}

impl From<ImapError> for Trouble {
    fn from(error: ImapError) -> Self {
        Self::Server(error)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

impl From<DatabaseError> for Trouble {
    fn from(error: DatabaseError) -> Self {
        Self::Store(error.into())
    }
}

/// The background task.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    loop {
        let mut wait = EVERY;
        for work in work(&app).await? {
            match at_the_server(&app, work).await {
                Ok(()) => {}
                Err(Trouble::Store(failure)) => return Err(failure),
                Err(Trouble::Server(error)) => {
                    tracing::info!(%error, "Copies of drafts wait for the server");
                    wait = LATER;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What there is to do. An account without a key has none of it: in clear a draft must not lie on a server.
async fn work(app: &Arc<App>) -> Result<Vec<Work>, Failure> {
    let mut reader = app.reader.get().await?;
    let quiet = table::quiet(&mut reader, app.now() - QUIET).await?;
    let copies = table::copies(&mut reader).await?;
    if quiet.is_empty() && copies.is_empty() {
        return Ok(Vec::new());
    }
    let rows = accounts::list(&mut reader).await?;
    let first = rows.first().map(|row| row.address.clone()).unwrap_or_default();
    let mut drafts = Vec::new();
    for row in quiet {
        let Ok(content) = serde_json::from_str::<Content>(&row.content) else { continue };
        let from = if content.from.is_empty() { first.clone() } else { address(&content.from) };
        drafts.push((row, content, from));
    }
    let mut found = Vec::new();
    for account in rows {
        let Some(own) = app.keyring.current(&account.address) else { continue };
        let mine: Vec<_> = copies.iter().filter(|(copy, _)| copy.account == account.id).collect();
        let mut lay = Vec::new();
        for (row, content, from) in &drafts {
            let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(row.content.as_bytes()));
            let is_laid = mine.iter().any(|(copy, _)| copy.key == row.key && copy.digest == digest);
            let is_small = row.content.len() <= LARGEST;
            if *from == account.address && is_small && !is_laid && !content.is_empty() {
                lay.push((row.clone(), content.clone(), digest));
            }
        }
        // A draft that is written under another address now has its copy there.
        let has_left = |copy: &DraftCopyRow| {
            drafts.iter().any(|(row, _, from)| row.key == copy.key && *from != account.address)
        };
        let remove = mine.iter().filter(|(copy, alive)| !alive || has_left(copy));
        let remove: Vec<_> = remove.map(|(copy, _)| copy.clone()).collect();
        if !lay.is_empty() || !remove.is_empty() {
            let before = mine.into_iter().map(|(copy, _)| copy.clone()).collect();
            found.push(Work { account, own, lay, remove, before });
        }
    }
    Ok(found)
}

/// The address that a draft is from, canonical.
fn address(from: &str) -> String {
    let people = compose::parse_people(from).unwrap_or_default();
    people.first().map(|person| canonical(&person.address)).unwrap_or_default()
}

async fn at_the_server(app: &Arc<App>, work: Work) -> Result<(), Trouble> {
    let folders = accounts::folders(&mut *app.reader.get().await?, Some(work.account.id)).await?;
    let Some(folder) = folders.into_iter().find(|folder| folder.role == "draft") else { return Ok(()) };
    let login = Settings::of(&work.account)?.imap_login()?;
    // No pass meanwhile: it would fetch what is being laid.
    let pass = app.pass(work.account.id);
    let _pass = pass.lock().await;
    let mut session = Session::open(&app.dialer, &login).await?;
    let done = changed(app, &mut session, &folder, work).await;
    session.logout().await;
    done
}

async fn changed(
    app: &Arc<App>,
    session: &mut Session,
    folder: &FolderRow,
    work: Work,
) -> Result<(), Trouble> {
    session.select(&folder.raw_name).await?;
    for (row, content, digest) in work.lay {
        let mut draft = drafts::as_draft(app, &work.account, &content)?;
        draft.message_id = message_id(&row.key, &digest, &work.account.address);
        let private = content.came_private || outgoing::answers_private(app, content.reply_to_id).await?;
        let (own, message_id) = (work.own.clone(), draft.message_id.clone());
        let (now, wish) = (app.now(), content.encrypt);
        let sealed = blocking(move || Ok::<_, Failure>(sealed(&draft, &own, wish, private, now)));
        // What cannot be sealed stays here.
        let Ok(raw) = sealed.await? else { continue };
        // Killed before it was noted, it lies there already.
        if session.find_message_id(&message_id).await?.is_empty() {
            session.append(&folder.raw_name, &raw, &["\\Draft", "\\Seen"], None).await?;
        }
        step_over(app, session, folder.id, &message_id).await?;
        // The earlier one goes before the new one takes its place in the store: killed in between, it is still known.
        if let Some(earlier) = work.before.iter().find(|before| before.key == row.key) {
            remove(session, earlier).await?;
        }
        let copy = DraftCopyRow { key: row.key, account: work.account.id, message_id, digest };
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        table::put_copy(&mut c, &copy).await?;
        commit(c).await?;
    }
    for copy in work.remove {
        remove(session, &copy).await?;
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        table::forget_copy(&mut c, &copy).await?;
        commit(c).await?;
    }
    Ok(())
}

/// The same for the same content, so that a copy is found again whatever happened; it tells nothing.
fn message_id(key: &str, digest: &str, address: &str) -> String {
    let hash = Sha256::digest(format!("{key} {digest}").as_bytes());
    let domain = address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    compose::new_message_id(hash.first_chunk::<16>().copied().unwrap_or_default(), domain)
}

/// A copy was laid: passes step over it from now on.
async fn step_over(
    app: &App,
    session: &mut Session,
    folder: FolderId,
    message_id: &str,
) -> Result<(), Trouble> {
    let uids = session.find_message_id(message_id).await?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    for uid in uids {
        skipped::skip(&mut c, folder, uid.0, STEPPED_OVER).await?;
    }
    commit(c).await?;
    Ok(())
}

async fn remove(session: &mut Session, copy: &DraftCopyRow) -> Result<(), ImapError> {
    let uids = session.find_message_id(&copy.message_id).await?;
    if !uids.is_empty() {
        session.delete(&uids).await?;
    }
    Ok(())
}

/// The draft as it lies on a server (Autocrypt 1.1, drafts): encrypted to its writer alone, unsigned.
fn sealed(draft: &Draft, own: &Own, wish: Wish, private: bool, now: i64) -> Result<Vec<u8>, Failure> {
    let wrapped = envelope::protected_draft(&compose::to_bytes(draft), &[])
        .map_err(|flaw| Failure::failed(format!("The draft could not be prepared for encryption: {flaw}")))?;
    let mine = [own.key.certificate()];
    let (armoured, _) = openpgp::seal(&wrapped.payload, &mine, &[], None, now)?;
    let state = DraftState {
        encrypt: wish == Wish::Yes || private && wish == Wish::Auto,
        is_reply_to_encrypted: private,
        by_choice: wish != Wish::Auto,
    };
    Ok(envelope::draft_encrypted(&wrapped.outer, &armoured, state))
}
