//! How a message leaves: encrypted to everybody, or in clear; signed or not; with the owner's key for those who read it.
//!
//! A message that is encrypted is encrypted to all who get it and, but for what is for them alone, to the owner; and signed. Whoever gets a hidden copy gets
//! one of their own, so that nobody's key tells of them.

use super::accounts::{self, Settings};
use super::app::App;
use super::failure::{Failure, blocking};
use super::keyring::{self, Own};
use super::peers::{self, Plan};
use super::settings;
use crate::crypto::openpgp::{self, Certificate};
use crate::mail::address::canonical;
use crate::mail::autocrypt::{Gossip, Header, Recommendation};
use crate::mail::compose::{self, Draft};
use crate::mail::envelope;
use crate::mail::ids::MessageId;
use crate::storage::database::{AccountRow, messages, peers as peer_table};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Whether a message is to be encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// As recommended.
    #[default]
    Auto,
    /// Yes, or not at all.
    Yes,
    /// No.
    No,
}

/// What the owner wants of a message's protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// Whether to encrypt.
    pub encrypt: Wish,
    /// Whether to sign what is not encrypted.
    pub sign: bool,
    /// What it answers or passes on came in private.
    pub came_private: bool,
    /// Whether the owner can read what is encrypted as well.
    pub own_copy: bool,
}

/// A message as it leaves.
pub(in crate::engine) struct Outgoing {
    /// What is kept, and sent to all but those below.
    pub(in crate::engine) raw: Vec<u8>,
    /// The copies of those who must not be seen, by address.
    pub(in crate::engine) copies: Vec<(String, Vec<u8>)>,
    /// Whether it is encrypted.
    pub(in crate::engine) encrypted: bool,
    /// Whether it is signed.
    pub(in crate::engine) signed: bool,
    /// What was recommended.
    pub(in crate::engine) recommendation: &'static str,
    /// The keys that are relied on from now on, by address.
    pub(in crate::engine) relied: Vec<(String, String)>,
}

/// Whether the owner wants private mail whenever it is possible: for one account, or the first.
///
/// # Errors
/// When the store fails.
pub async fn own_preference(app: &App, account: Option<&AccountRow>) -> Result<bool, Failure> {
    let rows;
    let row = match account {
        Some(account) => Some(account),
        None => {
            rows = crate::storage::database::accounts::list(&mut *app.reader.get().await?).await?;
            rows.first()
        }
    };
    let Some(row) = row else { return Ok(true) };
    Ok(Settings::of(row)?.prefer_encrypt != "nopreference")
}

/// Whether a message that is answered came in private.
///
/// # Errors
/// When the store fails.
pub async fn answers_private(app: &App, answered: Option<MessageId>) -> Result<bool, Failure> {
    let Some(answered) = answered else { return Ok(false) };
    let mut reader = app.reader.get().await?;
    let Some(number) = messages::known(&mut reader, &[answered]).await?.get(&answered).copied() else {
        return Ok(false);
    };
    let envelope = peer_table::envelope_of(&mut reader, number).await?;
    Ok(envelope.is_some_and(|e| matches!(e.privacy.as_str(), "private" | "unconfirmed" | "closed")))
}

/// Puts a message together as it leaves.
///
/// # Errors
/// Failed, where it is to be private and somebody has no key: nothing leaves in clear that was meant to be private.
pub(in crate::engine) async fn prepare(
    app: &Arc<App>,
    account: &AccountRow,
    draft: &Draft,
    replies_to: Option<MessageId>,
    wishes: Wishes,
) -> Result<Outgoing, Failure> {
    let mutual = own_preference(app, Some(account)).await?;
    let replying = wishes.came_private || answers_private(app, replies_to).await?;
    let recipients: Vec<String> =
        draft.to.iter().chain(&draft.cc).chain(&draft.bcc).map(|p| canonical(&p.address)).collect();
    let plan = peers::plan(app, mutual, &recipients, replying).await?;
    let strict = settings::get(app, "secure-mode").await? == "on";
    let encrypt = decide(&plan, wishes.encrypt, replying, strict)?;
    // Whoever writes first in private needs a key, and whoever writes at all tells of it.
    let own = keyring::ensure(app, &account.address).await?;
    let mut draft = draft.clone();
    // What is passed on in clear was chosen to be; an answer carries nothing along by itself.
    if replying && !encrypt && draft.in_reply_to.is_some() {
        leave_privacy(&mut draft);
    }
    let now = app.now();
    if encrypt && plan.each.iter().any(|advice| advice.needs_key) {
        let certificate = own.key.certificate();
        draft
            .attachments
            .push(envelope::key_attachment(&certificate.armored(), certificate.fingerprint().as_str()));
    }
    let recommendation = plan.recommendation.as_str();
    let relied = if encrypt {
        let others = plan.certificates.iter().filter(|(address, _)| **address != own.address);
        others.map(|(address, c)| (address.clone(), c.fingerprint().to_string())).collect()
    } else {
        Vec::new()
    };
    let signed = encrypt || wishes.sign;
    let (raw, copies) = blocking(move || {
        let raw = with_own_key(&compose::to_bytes(&draft), &own, mutual, now);
        if encrypt {
            let mine = if wishes.own_copy { vec![own.key.certificate()] } else { Vec::new() };
            sealed(&raw, &draft, (&own, &mine), &plan, now)
        } else if signed {
            Ok((with_bcc(signed_only(&raw, &own, now)?, &draft), Vec::new()))
        } else {
            Ok((raw, Vec::new()))
        }
    })
    .await?;
    Ok(Outgoing { raw, copies, encrypted: encrypt, signed, recommendation, relied })
}

/// Whether to encrypt.
fn decide(plan: &Plan, wish: Wish, replying: bool, strict: bool) -> Result<bool, Failure> {
    let impossible = plan.recommendation == Recommendation::Disable;
    // Nobody makes mail readable by writing with another key: that waits for the owner.
    let undecided = plan.each.iter().any(|a| a.undecided && a.rank == Recommendation::Disable);
    let needed = wish == Wish::Yes || (wish == Wish::Auto && (replying || strict || undecided));
    if needed && impossible {
        let hindering: Vec<&str> = plan
            .each
            .iter()
            .filter(|a| a.rank == Recommendation::Disable)
            .map(|a| a.address.as_str())
            .take(5)
            .collect();
        let why = plan.each.iter().find(|a| a.rank == Recommendation::Disable).map_or("", |a| &a.words);
        let what = match (replying, strict) {
            (true, _) => "What came in private",
            (false, true) => "In secure mode this message must be encrypted, and it",
            (false, false) => "This message",
        };
        let way =
            if strict { "" } else { ", or send it as normal mail, which everybody on its way can read" };
        return Err(Failure::failed(format!(
            "{what} cannot be encrypted to {}: {why} Leave them out{way}; nothing was sent",
            hindering.join(", "),
        )));
    }
    let encrypt = match wish {
        Wish::Yes => true,
        Wish::No => false,
        Wish::Auto => needed || plan.recommendation == Recommendation::Encrypt,
    };
    if strict && !encrypt {
        return Err(Failure::failed(
            "Secure mode lets nothing out that is not encrypted; encrypt it, or switch secure mode off in the settings",
        ));
    }
    Ok(encrypt)
}

/// What will happen to a message, told before it is sent.
pub struct Forecast {
    /// Whether it will be encrypted; or why it cannot go out as it is wished.
    pub encrypted: Result<bool, Failure>,
    /// What is recommended, for all and for each.
    pub plan: Plan,
    /// Whether it answers private mail.
    pub answers_private: bool,
}

/// Tells what would happen to a message from one of the owner's addresses (the first, where it is empty). It is decided as
/// [`prepare`] decides it.
///
/// # Errors
/// When the store fails.
pub async fn forecast(
    app: &Arc<App>,
    from: &str,
    recipients: &[String],
    answered: Option<MessageId>,
    came_private: bool,
    wish: Wish,
) -> Result<Forecast, Failure> {
    let account = if from.is_empty() { None } else { accounts::find(app, from).await.ok() };
    let mutual = own_preference(app, account.as_ref()).await?;
    let answers_private = came_private || answers_private(app, answered).await?;
    let plan = peers::plan(app, mutual, recipients, answers_private).await?;
    let strict = settings::get(app, "secure-mode").await? == "on";
    Ok(Forecast { encrypted: decide(&plan, wish, answers_private, strict), plan, answers_private })
}

/// An answer in clear to private mail carries nothing of it: neither what it quotes nor its subject.
fn leave_privacy(draft: &mut Draft) {
    let kept: Vec<&str> = draft.body.lines().filter(|line| !line.starts_with('>')).collect();
    if kept.len() < draft.body.lines().count() {
        draft.body = format!(
            "{}\n\n(The private message that this answers is not quoted.)\n",
            kept.join("\n").trim_end()
        );
    }
    envelope::CLEAR_REPLY_SUBJECT.clone_into(&mut draft.subject);
}

/// The message with the owner's `Autocrypt` field.
pub(in crate::engine) fn with_own_key(raw: &[u8], own: &Own, mutual: bool, now: i64) -> Vec<u8> {
    let field = own
        .key
        .certificate()
        .for_autocrypt(&own.address, now)
        .ok()
        .and_then(|keydata| Header { address: own.address.clone(), mutual, keydata }.to_field());
    match field {
        Some(field) => prefixed(raw, Header::NAME, &field),
        None => raw.to_vec(),
    }
}

type Copies = Vec<(String, Vec<u8>)>;

/// `own` is the key that signs, and the certificates of the owner's that it is also encrypted to.
fn sealed(
    raw: &[u8],
    draft: &Draft,
    own: (&Own, &[Certificate]),
    plan: &Plan,
    now: i64,
) -> Result<(Vec<u8>, Copies), Failure> {
    let open: Vec<String> = draft.to.iter().chain(&draft.cc).map(|p| canonical(&p.address)).collect();
    let certificates = |addresses: &[String]| -> Vec<Certificate> {
        let mut found: Vec<Certificate> = Vec::new();
        for certificate in addresses.iter().filter_map(|a| plan.certificates.get(a)) {
            if !found.iter().any(|known| known.fingerprint() == certificate.fingerprint()) {
                found.push(certificate.clone());
            }
        }
        found
    };
    // Among several, each is told the others' keys, so that all can answer all.
    let gossip: Vec<Gossip> = if open.len() > 1 {
        open.iter()
            .filter_map(|address| {
                let keydata = plan.certificates.get(address)?.for_autocrypt(address, now).ok()?;
                Some(Gossip { address: address.clone(), keydata })
            })
            .collect()
    } else {
        Vec::new()
    };
    let wrapped = envelope::protected(raw, true, true, &gossip).map_err(|flaw| {
        Failure::failed(format!("The message could not be prepared for encryption: {flaw}"))
    })?;
    let (signer, mine) = own;
    let sealed_to = |to: &[Certificate]| -> Result<Vec<u8>, Failure> {
        let (armoured, _) = openpgp::seal(&wrapped.payload, to, mine, Some(&signer.key), now)?;
        Ok(envelope::encrypted(&wrapped.outer, &armoured))
    };
    let whole = sealed_to(&certificates(&open))?;
    let mut copies = Vec::new();
    for person in &draft.bcc {
        let address = canonical(&person.address);
        if open.contains(&address) || copies.iter().any(|(known, _)| *known == address) {
            continue;
        }
        let copy = sealed_to(&certificates(std::slice::from_ref(&address)))?;
        copies.push((address, copy));
    }
    Ok((with_bcc(whole, draft), copies))
}

/// In the owner's own copy it stands who got a hidden one; it leaves with none of them.
fn with_bcc(whole: Vec<u8>, draft: &Draft) -> Vec<u8> {
    if draft.bcc.is_empty() {
        return whole;
    }
    let hidden: Vec<&str> = draft.bcc.iter().map(|person| person.address.as_str()).collect();
    prefixed(&whole, "Bcc", &hidden.join(",\r\n "))
}

/// A message with a field before all others. `value` is folded already.
pub(in crate::engine) fn prefixed(raw: &[u8], name: &str, value: &str) -> Vec<u8> {
    [name.as_bytes(), b": ", value.as_bytes(), b"\r\n", raw].concat()
}

fn signed_only(raw: &[u8], own: &Own, now: i64) -> Result<Vec<u8>, Failure> {
    let wrapped = envelope::protected(raw, false, false, &[])
        .map_err(|flaw| Failure::failed(format!("The message could not be prepared for signing: {flaw}")))?;
    let signature = openpgp::sign_detached(&wrapped.payload, &own.key, now)?;
    Ok(envelope::signed_unobtrusively(&wrapped.outer, &wrapped.payload, &signature))
}
