//! What may be said of messages, kept for lists; and what they tell of keys, taken in. New mail is judged as it comes; what a
//! run did not get to, and what a new key speaks for, in the background.

use super::super::app::App;
use super::super::failure::{Failure, blocking};
use super::super::peers::{self, Arrived};
use super::super::{receive, securejoin};
use super::{Looked, judge, news};
use crate::crypto::openpgp::Certificate;
use crate::mail::address::canonical;
use crate::mail::autocrypt::Gossip;
use crate::mail::envelope::Assurance;
use crate::mail::ids::MessageNumber;
use crate::mail::message::Message;
use crate::storage::database::{EnvelopeRow, commit, keys, messages, peers as peer_table, tags};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// So many messages are judged at once when a key becomes known; the others follow in the background.
const AT_ONCE: u32 = 100;
/// So many are judged in the background before others get their turn.
const BATCH: u32 = 50;
/// So many keys of other recipients are taken from one message.
const GOSSIP_MAX: usize = 100;
/// So many attached keys of its sender are looked at.
const ATTACHED_MAX: usize = 3;
/// A file of keys that is larger, in bytes, is not looked into by itself.
const ATTACHED_BYTES: u64 = 128 << 10;

/// The background task: judges what was not judged with the keys that are known now, the newest first.
///
/// # Errors
/// When the store fails; the supervisor starts it again.
pub async fn run(app: Arc<App>, stop: CancellationToken) -> Result<(), Failure> {
    loop {
        let wanted = app.judging_wanted.notified();
        let numbers = peer_table::to_judge(&mut *app.reader.get().await?, BATCH).await?;
        if numbers.is_empty() {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = wanted => {}
            }
        } else {
            settle(&app, &numbers).await?;
            if stop.is_cancelled() {
                return Ok(());
            }
        }
    }
}

/// Judges messages that just came and keeps what may be said of them, for lists; takes in the keys of other recipients that
/// they tell. Mail without a cryptographic layer costs nothing here.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn settle(app: &Arc<App>, numbers: &[MessageNumber]) -> Result<(), Failure> {
    // One at a time: what a message tells of keys counts once.
    let _judging = app.judging.lock().await;
    let rows = peer_table::envelopes_of(&mut *app.reader.get().await?, numbers.iter().copied()).await?;
    if rows.is_empty() {
        return Ok(());
    }
    for number in numbers {
        let Some(before) = rows.get(number) else { continue };
        if is_unknown(app, before).await? {
            continue;
        }
        if let Err(error) = settle_one(app, *number, before).await {
            tracing::warn!(%error, "A message could not be judged; it is judged when it is opened");
        }
    }
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    peer_table::judged(&mut c, rows.keys().copied()).await?;
    Ok(commit(c).await?)
}

/// Whether nobody knows the key that signed a message: there is nothing to be said then, and nothing to be read for it.
async fn is_unknown(app: &App, row: &EnvelopeRow) -> Result<bool, Failure> {
    if row.layer != "signed" || row.issuer.is_empty() {
        return Ok(false);
    }
    let known =
        keys::certificates_by_key(&mut *app.reader.get().await?, std::slice::from_ref(&row.issuer)).await?;
    let signed = |certificate: &Certificate| certificate.key_ids().iter().any(|id| id.as_str() == row.issuer);
    Ok(known.is_empty() && !app.keyring.all().iter().any(|own| signed(&own.key.certificate())))
}

async fn settle_one(app: &Arc<App>, number: MessageNumber, before: &EnvelopeRow) -> Result<(), Failure> {
    let row = messages::by_numbers(&mut *app.reader.get().await?, &[number]).await?.into_iter().next();
    let Some(row) = row else { return Ok(()) };
    let packs = Arc::clone(&app.packs);
    let place = row.place;
    let Ok(raw) = blocking(move || packs.read(place)).await else { return Ok(()) };
    let judged = judge(app, number, Arc::new(raw.raw)).await?;
    let Some(wrapping) = &judged.looked.wrapping else { return Ok(()) };
    let summary = &judged.summary;
    let after = EnvelopeRow {
        privacy: summary.privacy.as_str().to_owned(),
        assurance: summary.assurance.as_str().to_owned(),
        signer: summary.signer.clone().unwrap_or_default(),
        ..wrapping.row()
    };
    let opened = before.privacy == "closed" && after.privacy != "closed";
    let from = judged.looked.message.from.first().map(|p| canonical(&p.address)).unwrap_or_default();
    // What the owner told others about keys is no news.
    let is_own = app.own_addresses().contains(&from);
    let told = news(&judged.looked, &app.own_addresses());
    let may_tell = {
        let mut reader = app.reader.get().await?;
        let tags = tags::of_messages(&mut reader, &[number]).await?.remove(&number).unwrap_or_default();
        let is_junk = tags.iter().any(|tag| ["spam", "trash", "draft"].contains(&tag.as_str()));
        !is_junk && told.is_some() && peers::house_stands_behind(&mut reader, &from, number).await?
    };
    let gossip = if may_tell && summary.signer.is_some() && after.privacy == "private" && !is_own {
        gossip_of(&judged.looked, &from)
    } else {
        Vec::new()
    };
    let attached = if may_tell && summary.signer.is_some() && !is_own {
        let (message, inner) = (judged.looked.message.clone(), judged.looked.inner.clone());
        let (address, now) = (from.clone(), app.now());
        blocking(move || Ok::<_, Failure>(attached_keys(&message, inner.as_deref(), &address, now))).await?
    } else {
        Vec::new()
    };
    // A key that was compared vouches for what its owner gossips; any other tells no more than a header.
    let by = if summary.assurance == Assurance::Verified { Some(from.as_str()) } else { None };
    let is_first_time = before.privacy != "private" && after.privacy == "private";
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        if after != *before {
            peer_table::put_envelope(&mut c, number, &after).await?;
        }
        if let Some(signer) = &summary.signer
            && !is_own
            && may_tell
            && before.signer != *signer
        {
            keys::note_peer_key_once(&mut c, &from, signer, "signature", number.0, app.now()).await?;
        }
        // What programs say to each other shows nobody's habit.
        if is_first_time && may_tell && !is_own && !securejoin::is_step(&judged.looked.message) {
            let answers: Vec<i64> = judged.looked.message.in_reply_to.iter().map(|id| app.link(id)).collect();
            peers::wrote_in_private(app, &mut c, &from, row.date, &answers).await?;
        }
        for certificate in &attached {
            peers::attached(&mut c, &from, certificate, number.0, app.now()).await?;
        }
        if !gossip.is_empty() {
            peers::gossiped(app, &mut c, by, row.date, &gossip, number.0).await?;
        }
        // While it was closed, nobody could read what its header says inside.
        if opened
            && may_tell
            && let Some(news) = &told
        {
            let late = Arrived { news, number: number.0, checkable: false, date: row.date, private: true };
            peers::arrived(app, &mut c, &[late]).await?;
        }
        commit(c).await?;
    }
    if opened {
        receive::read_again(app, &row, judged.looked).await?;
    }
    Ok(())
}

/// The keys attached to a message that are for its sender.
fn attached_keys(message: &Message, raw: Option<&[u8]>, from: &str, now: i64) -> Vec<Certificate> {
    let Some(raw) = raw else { return Vec::new() };
    let parts = message.parts.iter().filter(|part| part.content_type == "application/pgp-keys");
    parts
        .filter(|part| part.bytes <= ATTACHED_BYTES)
        .take(ATTACHED_MAX)
        .filter_map(|part| Certificate::parse_all(&part.decoded(raw)).ok())
        .flatten()
        .filter(|certificate| certificate.addresses(now).iter().any(|address| address == from))
        .take(ATTACHED_MAX)
        .collect()
}

/// The keys of other recipients that a message tells: only of those it names itself.
fn gossip_of(looked: &Looked, from: &str) -> Vec<(String, Certificate)> {
    let message = &looked.message;
    let named: Vec<String> = message
        .to
        .iter()
        .chain(&message.cc)
        .chain(&message.reply_to)
        .map(|p| canonical(&p.address))
        .filter(|address| address != from)
        .collect();
    let told = looked.wrapping.iter().flat_map(|w| &w.gossip).take(GOSSIP_MAX);
    told.filter_map(|value| Gossip::parse(value).ok())
        .filter(|gossip| named.contains(&gossip.address))
        .filter_map(|gossip| Some((gossip.address, Certificate::parse(&gossip.keydata).ok()?)))
        .collect()
}

/// Judges mail again after a key became known: what it signed, and, where it is the owner's, what was closed. The newest are
/// judged when this returns; the others follow in the background, where there is one.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn settle_again(
    app: &Arc<App>,
    certificate: &Certificate,
    closed: bool,
) -> Result<(), Failure> {
    let ids: Vec<String> = certificate.key_ids().iter().map(ToString::to_string).collect();
    {
        // Whoever judges now may not know the key yet.
        let _judging = app.judging.lock().await;
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        peer_table::judge_again(&mut c, &ids, closed).await?;
        commit(c).await?;
    }
    loop {
        let numbers = peer_table::to_judge(&mut *app.reader.get().await?, AT_ONCE).await?;
        settle(app, &numbers).await?;
        // A command that runs alone has nothing behind it.
        if numbers.is_empty() || !app.running.is_empty() {
            break;
        }
    }
    app.judging_wanted.notify_one();
    Ok(())
}
