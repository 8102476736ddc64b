//! What may be said of a message: who signed it, whether that key is theirs, and since when it is known.

use super::super::app::App;
use super::super::failure::{Failure, blocking};
use super::super::securejoin;
use super::{Looked, Openers};
use crate::crypto::openpgp::{Certificate, Signature, Verdict};
use crate::mail::address::canonical;
use crate::mail::envelope::{self, Binding, Facts, FieldState, FromTrouble, Pin, Summary};
use crate::mail::ids::MessageNumber;
use crate::mail::message::{self, Message};
use crate::storage::database::{Connection, PeerKeyRow, PeerRow, keys, peers as peer_table};
use std::sync::Arc;

/// So many of the keys that are known for a sender are tried on a signature.
const SENDERS_KEYS: usize = 16;

/// What is known of those who may have signed a message.
struct Known {
    own: Vec<Certificate>,
    signers: Vec<Certificate>,
    peer: Option<PeerRow>,
    keys: Vec<PeerKeyRow>,
}

fn own_certificates(app: &App) -> Vec<Certificate> {
    app.keyring.all().iter().map(|own| own.key.certificate()).collect()
}

/// What the store holds of those that signatures name, and of the sender's address.
async fn more_certificates(
    c: &mut Connection,
    issuers: &[String],
    from: &str,
) -> Result<Vec<Vec<u8>>, Failure> {
    let mut bytes = keys::certificates_by_key(c, issuers).await?;
    let known = keys::peer_keys(c, from).await?;
    let mut fingerprints: Vec<String> =
        known.into_iter().map(|key| key.fingerprint).take(SENDERS_KEYS).collect();
    fingerprints.dedup();
    bytes.extend(keys::certificates_of(c, &fingerprints).await?);
    Ok(bytes)
}

/// These certificates and those among the bytes that are not among them yet.
fn certificates(mut known: Vec<Certificate>, more: &[Vec<u8>]) -> Vec<Certificate> {
    for bytes in more {
        if let Ok(certificate) = Certificate::parse(bytes)
            && !known.iter().any(|known| known.fingerprint() == certificate.fingerprint())
        {
            known.push(certificate);
        }
    }
    known
}

/// Judges what was looked at.
fn judged(
    looked: &Looked,
    author: &Message,
    known: &Known,
    from: Vec<FromTrouble>,
    number: MessageNumber,
    own: bool,
    now: i64,
) -> Summary {
    let Some(wrapping) = &looked.wrapping else { return Summary::default() };
    let address = author.from.first().map(|p| canonical(&p.address)).unwrap_or_default();
    let signatures =
        wrapping.signatures.iter().map(|s| signature(s, known, &address, number, own, now)).collect();
    envelope::summary(&Facts {
        kind: wrapping.kind,
        opening: wrapping.opening.clone(),
        signatures,
        from,
        date: author.date,
        date_is_signed: wrapping.protection.state("Date") != FieldState::Unprotected,
    })
}

fn signature(
    signature: &Signature,
    known: &Known,
    address: &str,
    number: MessageNumber,
    own: bool,
    now: i64,
) -> envelope::Signature {
    let fingerprint = signature.signer.as_ref().map(ToString::to_string);
    let signer = known.signers.iter().find(|c| Some(c.fingerprint().to_string()) == fingerprint);
    let is_own = own && known.own.iter().any(|c| Some(c.fingerprint().to_string()) == fingerprint);
    let said: Vec<&PeerKeyRow> =
        known.keys.iter().filter(|k| Some(&k.fingerprint) == fingerprint.as_ref()).collect();
    // What others gossip of an address does not bind a key to it.
    let told = said.iter().any(|key| !key.way.starts_with("gossip"));
    let binding = if is_own {
        Binding::UserId
    } else if own {
        // Whoever else claims the owner's address is nobody.
        Binding::None
    } else if signer.is_some_and(|c| c.addresses(now).iter().any(|a| a == address)) {
        Binding::UserId
    } else if told {
        Binding::Peer
    } else {
        Binding::None
    };
    let pin = if is_own { Pin::Verified } else { pin(known, fingerprint.as_deref(), &said, number) };
    let for_owner = signature.intended.is_empty()
        || is_own
        || signature.intended.iter().any(|f| known.own.iter().any(|own| own.fingerprint() == *f));
    envelope::Signature {
        verdict: verdict(&signature.verdict),
        signer: fingerprint,
        made_at: signature.made_at,
        binding,
        for_owner,
        pin,
    }
}

/// What was known of a key for its address. The first key that came counts until the owner relies on one: whoever comes
/// later, with whatever date, cannot take its place.
fn pin(known: &Known, signer: Option<&str>, said: &[&PeerKeyRow], number: MessageNumber) -> Pin {
    let Some(signer) = signer else { return Pin::None };
    let pinned = known.peer.as_ref().and_then(|peer| peer.pinned.as_deref());
    let first =
        known.keys.iter().find(|key| !key.way.starts_with("gossip")).map(|key| key.fingerprint.as_str());
    let Some(expected) = pinned.or(first) else { return Pin::None };
    if expected != signer {
        return Pin::Differs;
    }
    if pinned.is_some() && known.peer.as_ref().is_some_and(|peer| peer.verified_at > 0) {
        return Pin::Verified;
    }
    // A message that brings a key is mostly signed by it as well: each counts once.
    let own_words = said.iter().filter(|key| !key.way.starts_with("gossip"));
    let messages = own_words.map(|key| key.messages).max().unwrap_or_default();
    let since = said.iter().map(|key| key.first_at).min().unwrap_or_default();
    // Rows come in the order in which they were noted: a key that the owner brought before does not begin with a message.
    let begins = said.first().is_some_and(|key| key.first_message == number.0);
    if begins || (pinned.is_none() && said.iter().all(|key| key.first_message == 0)) {
        return Pin::First;
    }
    Pin::Same { since, messages }
}

const fn verdict(verdict: &Verdict) -> envelope::Verdict {
    match verdict {
        Verdict::Good => envelope::Verdict::Good,
        Verdict::GoodThen(_) => envelope::Verdict::GoodThen,
        Verdict::Unknown => envelope::Verdict::Unknown,
        Verdict::Bad => envelope::Verdict::Bad,
        Verdict::Weak => envelope::Verdict::Weak,
        Verdict::Expired => envelope::Verdict::Expired,
        Verdict::FromFuture => envelope::Verdict::FromFuture,
        Verdict::Revoked => envelope::Verdict::Revoked,
        Verdict::NotLive => envelope::Verdict::KeyNotValid,
        Verdict::Unsupported => envelope::Verdict::Malformed,
    }
}

/// A message of the store, looked at and judged.
pub struct Judged {
    /// The message.
    pub looked: Looked,
    /// What may be said of it.
    pub summary: Summary,
}

/// Looks at a message of the store and judges it, from its very bytes. `raw` is what came.
///
/// # Errors
/// When the store fails.
pub async fn judge(app: &Arc<App>, number: MessageNumber, raw: Arc<Vec<u8>>) -> Result<Judged, Failure> {
    let (openers, issuers, at_hand) = {
        let mut reader = app.reader.get().await?;
        let row = peer_table::envelope_of(&mut reader, number).await?;
        let issuers: Vec<String> =
            row.iter().map(|row| row.issuer.clone()).filter(|issuer| !issuer.is_empty()).collect();
        let at_hand = keys::certificates_by_key(&mut reader, &issuers).await?;
        (Openers::new(app).with(row.map(|row| (number, row))), issuers, at_hand)
    };
    let own = own_certificates(app);
    let (first, bytes, own_first) = (openers.clone(), Arc::clone(&raw), own.clone());
    let (looked, signers) = blocking(move || {
        let signers = certificates(own_first, &at_hand);
        Ok::<_, Failure>((first.look(Some(number), &bytes, &signers), signers))
    })
    .await?;
    let Some(wrapping) = &looked.wrapping else {
        let summary = Summary { reasons: between_programs(&looked.message), ..Summary::default() };
        return Ok(Judged { looked, summary });
    };
    let claimed = looked.claimed.as_deref().map(message::parse);
    let from = sender_of(claimed.as_ref().unwrap_or(&looked.message));
    let named: Vec<String> = wrapping.issuers().into_iter().chain(issuers).collect();
    let found = more_certificates(&mut *app.reader.get().await?, &named, &from).await?;
    let holds = |s: &Signature| matches!(s.verdict, Verdict::Good | Verdict::GoodThen(_));
    let is_open = !wrapping.signatures.iter().all(holds);
    let (mut looked, signers) = blocking(move || {
        let all = certificates(signers.clone(), &found);
        // Nearly always the first look knew the signer already.
        let looked = if is_open && all.len() > signers.len() {
            openers.look(Some(number), &raw, &all)
        } else {
            looked
        };
        Ok::<_, Failure>((looked, all))
    })
    .await?;
    let author = claimed.as_ref().unwrap_or(&looked.message);
    let is_own = app.own_addresses().contains(&from) || app.keyring.all().iter().any(|o| o.address == from);
    let mut reader = app.reader.get().await?;
    let peer = peer_table::of(&mut reader, std::slice::from_ref(&from)).await?.remove(&from);
    let known = Known { own, signers, peer, keys: keys::peer_keys(&mut reader, &from).await? };
    let troubles = troubles(app, &mut reader, author, looked.senders).await?;
    drop(reader);
    let mut summary = judged(&looked, author, &known, troubles, number, is_own, app.now());
    if is_own && summary.signer.is_some() {
        summary.reasons = vec!["You wrote this message.".to_owned()];
    }
    summary.reasons.extend(between_programs(&looked.message));
    if looked.wrapping.as_ref().is_some_and(|wrapping| wrapping.weak) {
        let weak = "It is encrypted with an old cipher that today's programs do not write with any more.";
        summary.reasons.push(weak.to_owned());
    }
    if let (Some(claimed), Some((outer, inner))) =
        (claimed, looked.wrapping.as_ref().and_then(|w| w.protection.from_differs.clone()))
    {
        if summary.signer.is_some() {
            (looked.message, looked.inner) = (claimed, looked.claimed.take());
            summary.reasons.push(format!("Outside, the message said that it was from {outer}."));
        } else {
            summary.reasons.push(format!(
                "Inside, the message says that it is from {inner}; outside it says {outer}, and nothing proves either."
            ));
        }
    }
    Ok(Judged { looked, summary })
}

/// What is to be said of a message that programs wrote to compare keys, and that nothing came of.
fn between_programs(message: &Message) -> Vec<String> {
    let words =
        "Mail programs write such messages to compare keys. It belongs to no invitation that is open here.";
    securejoin::is_step(message).then(|| words.to_owned()).into_iter().collect()
}

/// The canonical address of a message's sender; empty where it names none.
fn sender_of(message: &Message) -> String {
    message.from.first().map(|person| canonical(&person.address)).unwrap_or_default()
}

/// What is wrong with the From of a message: what it shows itself, and whose name it bears.
async fn troubles(
    app: &App,
    c: &mut Connection,
    message: &Message,
    outer_senders: usize,
) -> Result<Vec<FromTrouble>, Failure> {
    let mut found = envelope::from_troubles(message);
    // Outside of what was signed another may have put themselves beside the sender.
    if outer_senders > 1 && found.is_empty() {
        found.push(FromTrouble::Several);
    }
    if found.is_empty()
        && let Some(name) = super::super::sender::name_of_another(app, c, message).await?
    {
        found.push(FromTrouble::NameOfAnother(name));
    }
    Ok(found)
}
