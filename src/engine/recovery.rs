//! The way back for who forgets the passphrase: a recovery key on paper, and its shares among contacts.
//!
//! The key itself is kept nowhere. Whoever splits it types it from the sheet, which proves that the sheet can be read.

use super::app::App;
use super::drafts::{self, Content};
use super::failure::Failure;
use super::outgoing::{self, Wish};
use super::vault::Vault;
use super::{accounts, peers};
use crate::crypto::recovery::RecoveryKey;
use crate::crypto::secret::SecretText;
use crate::crypto::shares::{self, Share, ShareError};
use crate::mail::address::canonical;
use crate::storage::data_dir::DataDir;
use crate::storage::database::{commit, settings};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// How many shares give the key back, unless the owner says otherwise.
pub const NEED: u8 = 3;
/// How many shares there are, unless the owner says otherwise.
pub const OF: u8 = 5;
/// Among so many contacts a key is split at most.
pub const MOST_HOLDERS: usize = 20;
/// So many contacts are offered to choose from.
const OFFERED: usize = 100;
/// The longest text that shares are looked for in, in bytes.
pub const LONGEST: usize = 1 << 16;
/// Groups of letters on a line of a share.
const ON_A_LINE: usize = 6;
/// Under this name the database knows who holds shares: names and dates, nothing secret.
const HANDED_OUT: &str = "recovery.shares";

/// To whom the shares went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOut {
    /// When, UTC seconds.
    pub at: i64,
    /// How many of them give the key back.
    pub need: u8,
    /// Who has one, canonical addresses.
    pub holders: Vec<String>,
    /// When the key that was split had been made, UTC seconds.
    key_made_at: i64,
}

/// What was done against forgetting.
#[derive(Clone, Debug)]
pub struct Standing {
    /// When the recovery key was made, UTC seconds.
    pub made_at: Option<i64>,
    /// Who holds shares of that key.
    pub handed_out: Option<HandedOut>,
}

/// A contact who can be asked to hold a share.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Canonical address.
    pub address: String,
    /// Their name, if it is known.
    pub name: String,
    /// Whether the owner compared their key with them.
    pub verified: bool,
}

/// What was done.
///
/// # Errors
/// When the store fails.
pub async fn standing(app: &App) -> Result<Standing, Failure> {
    let made_at = app.data.read_vault()?.recovery_made_at();
    let noted = settings::get(&mut *app.reader.get().await?, HANDED_OUT).await?;
    let handed_out: Option<HandedOut> = noted.and_then(|json| serde_json::from_str(&json).ok());
    Ok(Standing { made_at, handed_out: handed_out.filter(|handed| Some(handed.key_made_at) == made_at) })
}

/// Whether to remind the owner: there are keys, no copy holds them all, and no recovery key was made.
///
/// # Errors
/// When the vault cannot be read.
pub fn reminder(app: &App) -> Result<bool, Failure> {
    let uncopied = app.keyring.all().iter().any(|own| own.backed_up_at == 0);
    Ok(uncopied && app.data.read_vault()?.recovery_made_at().is_none())
}

/// Makes a recovery key, to be shown to the owner this once. The one before opens nothing any more.
///
/// # Errors
/// Locked, where the passphrase is wrong; otherwise when the disk fails.
pub async fn make(vault: &Vault, passphrase: &SecretText) -> Result<RecoveryKey, Failure> {
    vault.make_recovery_key(passphrase, jiff::Timestamp::now().as_second()).await
}

/// Splits the recovery key of the store at `path`, `need` of `of`.
///
/// # Errors
/// Locked, where the key is mistyped or opens nothing there; usage, where the numbers make no sense.
pub fn split(path: &Path, key: &SecretText, need: u8, of: u8) -> Result<Vec<Share>, Failure> {
    let key: RecoveryKey = key.expose().parse()?;
    DataDir::open(path)?.read_vault()?.open_by_recovery_key(&key)?;
    Ok(shares::split(key.expose(), need, of)?)
}

/// Gives the recovery key back. Each text holds one share or more, with or without the words around them.
///
/// # Errors
/// Failed, where a share is mistyped, there are too few, or they do not belong together.
pub fn join(texts: &[&str]) -> Result<RecoveryKey, Failure> {
    let mut found = Vec::new();
    for text in texts {
        found.extend(shares_in(text)?);
    }
    Ok(RecoveryKey::from_bytes(*shares::join(&found)?))
}

/// The shares in a text: as a whole, in paragraphs or in lines of their own, quoted or not.
fn shares_in(text: &str) -> Result<Vec<Share>, ShareError> {
    let mut pieces = vec![String::new()];
    let lines: Vec<&str> =
        text.lines().map(|line| line.trim_start_matches(['>', ' ', '\t']).trim_end()).collect();
    for line in &lines {
        match pieces.last_mut() {
            Some(piece) if !line.is_empty() => {
                piece.push_str(line);
                piece.push('\n');
            }
            _ => pieces.push(String::new()),
        }
    }
    pieces.extend(lines.iter().map(|line| (*line).to_owned()));
    pieces.push(lines.join("\n"));
    let mut found = Vec::new();
    for piece in pieces {
        match piece.parse::<Share>() {
            Ok(share) => found.push(share),
            Err(ShareError::Unreadable) => {}
            Err(flaw) => return Err(flaw),
        }
    }
    if found.is_empty() { Err(ShareError::Unreadable) } else { Ok(found) }
}

/// The contacts who can be asked: those whose key the owner relies on, the compared ones first.
///
/// # Errors
/// When the store fails.
pub async fn holders(app: &Arc<App>) -> Result<Vec<Holder>, Failure> {
    let own = app.own_addresses();
    let mut holders = Vec::new();
    for peer in peers::list(app).await? {
        let relied_on = peer.pinned_fingerprint.is_some() && peer.waiting_fingerprint.is_none();
        if relied_on && peer.recommendation != "disable" && !own.contains(&peer.email) {
            let verified = peer.trust == "verified";
            holders.push(Holder { address: peer.email, name: String::new(), verified });
        }
    }
    holders.sort_by_key(|holder| !holder.verified);
    holders.truncate(OFFERED);
    let mut reader = app.reader.get().await?;
    for holder in &mut holders {
        let person = settings::one_person(&mut reader, &holder.address).await?;
        holder.name = person.map(|person| person.name).unwrap_or_default();
    }
    Ok(holders)
}

/// Splits the recovery key among contacts: each is sent one share, in a message that they alone can open.
///
/// # Errors
/// Locked, where the key is mistyped or opens nothing; usage, where the numbers make no sense; refused, where somebody
/// cannot be written to in private. Then nothing was sent.
pub async fn hand_out(
    app: &Arc<App>,
    key: &SecretText,
    need: u8,
    chosen: &[String],
) -> Result<HandedOut, Failure> {
    let known = holders(app).await?;
    let mut to: Vec<String> = chosen.iter().map(|address| canonical(address)).collect();
    to.sort();
    to.dedup();
    if let Some(stranger) = to.iter().find(|address| !known.iter().any(|holder| holder.address == **address))
    {
        return Err(Failure::refused(format!(
            "{stranger} cannot hold a share: you do not rely on a key of theirs yet"
        )));
    }
    let of = u8::try_from(to.len()).ok().filter(|_| to.len() <= MOST_HOLDERS);
    let of = of.ok_or_else(|| Failure::usage(format!("Choose {MOST_HOLDERS} contacts or fewer")))?;
    if need < 2 || need > of {
        return Err(Failure::usage(format!(
            "Of {of} shares {need} cannot be needed; choose at least two contacts, and no fewer than are needed"
        )));
    }
    let pieces = split(app.data.root(), key, need, of)?;
    outgoing::forecast(app, "", &to, None, false, Wish::Yes).await?.encrypted?;
    let name = accounts::list(app).await?.into_iter().next().map(|account| account.name).unwrap_or_default();
    let key_made_at = app.data.read_vault()?.recovery_made_at().unwrap_or(0);
    for (sent, (share, address)) in pieces.iter().zip(&to).enumerate() {
        let content = Content {
            to: address.clone(),
            subject: "A piece of a key, to keep for me".into(),
            body: letter(share, of, &name),
            encrypt: Wish::Yes,
            for_them_alone: true,
            ..Content::default()
        };
        drafts::send_content(app, &content).await.map_err(|failure| {
            Failure::failed(format!(
                "{sent} of {of} shares are on their way, and the one for {address} is not: {failure}. Begin anew: the \
                 shares of two attempts do not fit together"
            ))
        })?;
    }
    let handed = HandedOut { at: app.now(), need, holders: to, key_made_at };
    let json = serde_json::to_string(&handed).map_err(|e| Failure::failed(e.to_string()))?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    settings::set(&mut c, HANDED_OUT, &json).await?;
    commit(c).await?;
    Ok(handed)
}

/// What a contact reads: what this is, what they can and cannot do with it, and what to beware of. It names no other holder.
fn letter(share: &Share, of: u8, name: &str) -> String {
    let text = share.to_text();
    let groups: Vec<&str> = text.split(' ').collect();
    let lines: Vec<String> = groups.chunks(ON_A_LINE).map(|line| line.join(" ")).collect();
    let need = share.threshold();
    format!(
        "Hello,\n\n\
         my mail is locked by a passphrase. In case I forget it, I split the key that opens it without the passphrase into \
         {of} pieces, for {of} people I trust. Please keep this one for me:\n\n{}\n\n\
         What you can do with it: give it back to me one day. Any {need} of the {of} pieces together give the key; fewer say \
         nothing at all.\n\n\
         What you cannot do with it: read my mail. Even the whole key opens only the store on my own machine.\n\n\
         Please keep this message, and tell nobody that you have it. If I ask for the piece, be sure that it is me: call me, \
         or let us meet. Somebody who only writes in my name may not be me.\n\n\
         If you would rather not keep it, tell me, and delete this message.\n\n\
         Thank you.\n{name}\n",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = *b"thirty-two bytes of recovery key";

    #[test]
    fn shares_are_found_in_letters_quotes_and_lists() {
        let pieces = shares::split(&KEY, 3, 5).unwrap();
        let letters: Vec<String> = pieces.iter().map(|share| letter(share, 5, "Alice")).collect();
        assert!(letters[0].contains("Any 3 of the 5 pieces"), "{}", letters[0]);
        let quoted: String = letters[1].lines().map(|line| format!("> {line}\n")).collect();
        let bare = pieces[2].to_text();
        let joined = join(&[&letters[0], &quoted, &bare]).unwrap();
        assert_eq!(joined, RecoveryKey::from_bytes(KEY));
        let list = format!("{}\n{}\n{}\n", *pieces[4].to_text(), *bare, *pieces[0].to_text());
        assert_eq!(join(&[&list]).unwrap(), joined, "one below the other");
        let same = join(&[&letters[0], &letters[0], &bare]).unwrap_err();
        assert!(same.words.contains("2 different shares are here, and 3 are needed"), "{same}");
    }

    #[test]
    fn a_mistyped_share_is_told_from_a_text_without_any() {
        let share = shares::split(&KEY, 2, 2).unwrap().remove(0);
        let text = share.to_text();
        let wrong = if text.ends_with('7') { "8" } else { "7" };
        let mistyped = format!("Here it is:\n\n{}{wrong}\n\nBob", text.get(..text.len() - 1).unwrap());
        assert_eq!(shares_in(&mistyped), Err(ShareError::Mistyped));
        for other in
            ["", "A letter of no use, which is just about as long as one share is, but has only words in it."]
        {
            assert_eq!(shares_in(other), Err(ShareError::Unreadable), "{other}");
        }
    }
}
