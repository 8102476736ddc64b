//! What two programs say to each other to compare keys by a link (SecureJoin, "Setup Contact" of countermitm 0.10, as Delta
//! Chat speaks it). Whoever invites puts the fingerprint of their key and two secrets into the link; whoever got it asks for
//! the key, finds the fingerprint right, and shows by a secret that they had the link. Then both keys are verified.
//!
//! The messages of this conversation are between programs: ours leave nothing behind, and those that were understood are
//! deleted. What was not understood stays where it is, for it may be another program's of the same mailbox.

use super::app::App;
use super::failure::{Failure, blocking};
use super::invitations::{ANSWERED, ASKED, DONE, MADE, OTHER_KEY, certificate, since};
use super::keyring::{self, Own};
use super::outgoing::{own_preference, prefixed, with_own_key};
use super::{envelopes, outbox, peers, tags};
use crate::crypto::openpgp::{self, Certificate};
use crate::crypto::secret::{random, same};
use crate::mail::address::{Person, canonical};
use crate::mail::autocrypt::{Gossip, Header, sole};
use crate::mail::compose::{self, Draft};
use crate::mail::envelope::{self, FieldState};
use crate::mail::ids::MessageNumber;
use crate::mail::message::Message;
use crate::storage::database::{
    self, AccountRow, Connection, InvitationRow, commit, invitations, keys, messages, peers as peer_table,
};
use envelopes::{Looked, Openers};
use std::pin::Pin;
use std::sync::Arc;

/// So many messages are sent for one invitation: whoever saw its number may ask again and again.
const ANSWERS: u32 = 6;
/// So many such messages of one batch are looked at.
const STEPS_MAX: usize = 50;

const STEP: &str = "Secure-Join";
const NUMBER: &str = "Secure-Join-Invitenumber";
const SECRET: &str = "Secure-Join-Auth";
const FINGERPRINT: &str = "Secure-Join-Fingerprint";

const REQUEST: &str = "vc-request";
const AUTH_REQUIRED: &str = "vc-auth-required";
const REQUEST_WITH_AUTH: &str = "vc-request-with-auth";
const CONFIRM: &str = "vc-contact-confirm";
/// All between two people, those of other versions too. Those about groups are mail that somebody wrote.
const STEPS: &[&str] = &[
    REQUEST,
    AUTH_REQUIRED,
    REQUEST_WITH_AUTH,
    CONFIRM,
    "vc-contact-confirm-received",
    "vc-request-pubkey",
    "vc-pubkey",
];

/// Whether a message is one of such a conversation. It is asked as it was meant, not as it came.
pub(in crate::engine) fn is_step(message: &Message) -> bool {
    message.header(STEP).is_some_and(|step| STEPS.contains(&step.trim()))
}

/// Answers messages that just came. What cannot be answered only shows in the log: mail goes on.
pub(in crate::engine) fn arrived<'a>(
    app: &'a Arc<App>,
    mut numbers: Vec<MessageNumber>,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    numbers.truncate(STEPS_MAX);
    Box::pin(async move {
        for number in numbers {
            match answer(app, number).await {
                Ok(true) => tracing::debug!("A message between programs about keys was understood"),
                Ok(false) => tracing::info!("A message about keys belongs to no invitation of this store"),
                Err(error) => tracing::warn!(%error, "A message about keys could not be answered"),
            }
        }
    })
}

/// What a message says, as far as it counts.
struct Said {
    step: String,
    number: String,
    /// Told inside an encrypted message only; empty otherwise.
    secret: String,
    fingerprint: String,
    /// The key it brings.
    brought: Option<Certificate>,
    /// The keys that signed it, for the owner, inside the encryption.
    signers: Vec<String>,
}

/// Answers one message; says whether it belonged to an invitation. Then it is deleted.
async fn answer(app: &Arc<App>, number: MessageNumber) -> Result<bool, Failure> {
    let (message, openers) = {
        let mut reader = app.reader.get().await?;
        if invitations::list(&mut reader, since(app), 1).await?.is_empty() {
            return Ok(false);
        }
        let Some(message) = messages::by_numbers(&mut reader, &[number]).await?.into_iter().next() else {
            return Ok(false);
        };
        (message, Openers::of(app, &mut reader, [number]).await?)
    };
    let (packs, place, first) = (Arc::clone(&app.packs), message.place, openers.clone());
    let (raw, looked) = blocking(move || {
        let raw = packs.read(place)?.raw;
        let looked = first.look(Some(number), &raw, &[]);
        Ok::<_, Failure>((raw, looked))
    })
    .await?;
    let [from] = looked.message.from.as_slice() else { return Ok(false) };
    let from = canonical(&from.address);
    if looked.senders != 1 || app.own_addresses().contains(&from) {
        return Ok(false);
    }
    let (rows, bytes) = expected(&mut *app.reader.get().await?, &from, since(app)).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let keyring = app.keyring.all();
    let said = blocking(move || {
        let brought = brought(&looked.message, &from);
        let mut signers: Vec<Certificate> = bytes.iter().filter_map(|b| Certificate::parse(b).ok()).collect();
        signers.extend(brought.clone());
        let looked = openers.look(Some(number), &raw, &signers);
        Ok::<_, Failure>(said(&looked, brought, &keyring))
    })
    .await?;
    for mut row in rows {
        if take(app, &mut row, &said).await? {
            tags::apply(app, &[number], &["trash".into()], &[]).await?;
            tags::delete(app, &[number]).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The invitations that concern somebody, with the keys that they may be expected to show.
async fn expected(
    c: &mut Connection,
    from: &str,
    since: i64,
) -> Result<(Vec<InvitationRow>, Vec<Vec<u8>>), Failure> {
    let rows = invitations::of(c, from, since).await?;
    let mut bytes = Vec::new();
    for row in rows.iter().filter(|row| !row.own) {
        bytes.extend(keys::certificate(c, &row.fingerprint).await?);
    }
    Ok((rows, bytes))
}

/// The key in the one valid `Autocrypt` field.
fn brought(message: &Message, from: &str) -> Option<Certificate> {
    let fields = message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(Header::NAME)).take(20);
    let read = |keydata: &[u8]| Certificate::parse(keydata).ok();
    let (certificate, _) = sole(fields.map(|(_, value)| value.as_str()), from, read)?;
    Some(certificate.minimal())
}

fn said(looked: &Looked, brought: Option<Certificate>, keyring: &[Own]) -> Said {
    let is_ours = |fingerprint: &str| {
        keyring.iter().any(|own| own.key.certificate().fingerprint().to_string() == fingerprint)
    };
    let opened = looked.wrapping.as_ref().filter(|w| {
        // Outside of the encryption anybody could have written the step. With From inside, all that counts is inside.
        w.is_encrypted()
            && !w.is_closed()
            && w.protection.state("From") != FieldState::Unprotected
            && w.protection.from_differs.is_none()
    });
    // Somebody else's message, passed on as it was, proves nothing: it says for whom it was meant.
    let told_ours = opened.is_some_and(|w| {
        let told = w.gossip.iter().take(20).filter_map(|value| Gossip::parse(value).ok());
        told.filter_map(|gossip| Certificate::parse(&gossip.keydata).ok())
            .any(|certificate| is_ours(&certificate.fingerprint().to_string()))
    });
    let signatures = opened.iter().flat_map(|w| &w.signatures).filter(|s| s.verdict.is_good());
    let for_us = signatures.filter(|s| {
        if s.intended.is_empty() { told_ours } else { s.intended.iter().any(|f| is_ours(&f.to_string())) }
    });
    let signers = for_us.filter_map(|s| Some(s.signer.as_ref()?.to_string())).collect();
    let field =
        |name: &str| looked.message.header(name).map(|value| value.trim().to_owned()).unwrap_or_default();
    let inside = |name: &str| opened.map(|_| field(name)).unwrap_or_default();
    Said {
        step: field(STEP),
        number: field(NUMBER),
        secret: inside(SECRET),
        fingerprint: inside(FINGERPRINT).replace(' ', "").to_ascii_uppercase(),
        brought,
        signers,
    }
}

/// Does what a message asks, where it belongs to this invitation.
async fn take(app: &Arc<App>, row: &mut InvitationRow, said: &Said) -> Result<bool, Failure> {
    let now = app.now();
    if [DONE, OTHER_KEY].contains(&row.state.as_str()) {
        // It is over; what comes again changes nothing.
        return Ok(belongs(row, said));
    }
    let usable = said.brought.as_ref().filter(|certificate| certificate.usable(now).is_ok());
    match (row.own, said.step.as_str()) {
        // Who asks for the key shows theirs; nothing is believed of it yet.
        (true, REQUEST) if same(&said.number, &row.number) => {
            let Some(theirs) = usable else { return Ok(false) };
            if send(app, row, Some(theirs), AUTH_REQUIRED, &[]).await? && row.state == MADE {
                note(app, row, ASKED).await?;
            }
            Ok(true)
        }
        (true, REQUEST_WITH_AUTH) if same(&said.secret, &row.secret) => {
            let shown = usable.filter(|theirs| {
                said.fingerprint == theirs.fingerprint().to_string()
                    && said.signers.contains(&said.fingerprint)
            });
            let Some(theirs) = shown else { return Ok(false) };
            if believe(app, row, theirs).await? {
                send(app, row, Some(theirs), CONFIRM, &[]).await?;
            }
            Ok(true)
        }
        (false, AUTH_REQUIRED) if said.signers.contains(&row.fingerprint) => {
            let Some(theirs) = inviting(app, row, usable).await? else { return Ok(false) };
            show_secret(app, row, &theirs).await?;
            Ok(true)
        }
        // The last word counts only from somebody who was told the secret.
        (false, CONFIRM) if row.state == ANSWERED && said.signers.contains(&row.fingerprint) => {
            let Some(theirs) = inviting(app, row, usable).await? else { return Ok(false) };
            believe(app, row, &theirs).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Whether a message is one more of a conversation that is over.
fn belongs(row: &InvitationRow, said: &Said) -> bool {
    match (row.own, said.step.as_str()) {
        (true, REQUEST) => same(&said.number, &row.number),
        (true, REQUEST_WITH_AUTH) => same(&said.secret, &row.secret),
        (true, _) => false,
        (false, _) => said.signers.contains(&row.fingerprint),
    }
}

/// The key of whoever invites: the one that the message brought, or the one that was known.
async fn inviting(
    app: &App,
    row: &InvitationRow,
    brought: Option<&Certificate>,
) -> Result<Option<Certificate>, Failure> {
    match brought.filter(|brought| brought.fingerprint().to_string() == row.fingerprint) {
        Some(brought) => Ok(Some(brought.clone())),
        None => certificate(app, &row.fingerprint).await,
    }
}

/// The key of the other side is verified, and the invitation used. Where another key is relied on, the invitation ends and
/// nothing else changes: a link may have been seen by others. Says whether the key is verified.
async fn believe(app: &Arc<App>, row: &mut InvitationRow, theirs: &Certificate) -> Result<bool, Failure> {
    {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let address = std::slice::from_ref(&row.address);
        // Another message, or another invitation in its place, may have been quicker: each counts once.
        let now_there = invitations::of(&mut c, &row.address, since(app)).await?;
        if !now_there.iter().any(|there| there == row) {
            return Ok(false);
        }
        let pinned = peer_table::of(&mut c, address).await?.remove(&row.address).and_then(|peer| peer.pinned);
        let other = pinned.is_some_and(|pinned| pinned != theirs.fingerprint().to_string());
        row.state = if other { OTHER_KEY } else { DONE }.to_owned();
        invitations::note(&mut c, row, &row.state, row.answers).await?;
        if !other {
            peers::proved(&mut c, &row.address, theirs, app.now()).await?;
        }
        commit(c).await?;
        if other {
            tracing::warn!("An invitation was answered with another key than the one that is relied on");
            return Ok(false);
        }
    }
    envelopes::settle_again(app, theirs, false).await?;
    Ok(true)
}

async fn note(app: &App, row: &mut InvitationRow, state: &str) -> Result<bool, Failure> {
    state.clone_into(&mut row.state);
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let there = invitations::note(&mut c, row, &row.state, row.answers).await?;
    commit(c).await?;
    Ok(there)
}

/// Asks whoever invited for their key, which is not known yet.
pub(in crate::engine) async fn ask(app: &Arc<App>, row: &mut InvitationRow) -> Result<(), Failure> {
    let number = row.number.clone();
    send(app, row, None, REQUEST, &[(NUMBER, number)]).await.map(drop)
}

/// Shows whoever invited that one had the link.
pub(in crate::engine) async fn show_secret(
    app: &Arc<App>,
    row: &mut InvitationRow,
    theirs: &Certificate,
) -> Result<(), Failure> {
    let own = keyring::ensure(app, &account_of(app, row).await?.address).await?;
    let mine = own.key.certificate().fingerprint().to_string();
    let fields = [(SECRET, row.secret.clone()), (FINGERPRINT, mine)];
    if send(app, row, Some(theirs), REQUEST_WITH_AUTH, &fields).await? {
        note(app, row, ANSWERED).await?;
    }
    Ok(())
}

async fn account_of(app: &App, row: &InvitationRow) -> Result<AccountRow, Failure> {
    let rows = database::accounts::list(&mut *app.reader.get().await?).await?;
    let found = rows.into_iter().find(|account| account.id == row.account);
    found.ok_or_else(|| Failure::not_found("The account of this invitation is gone"))
}

/// Queues a message of the conversation: encrypted to `to` and signed, or in clear where their key is not known yet. Says
/// whether it did: it does not where the invitation is gone, or enough was sent for it.
async fn send(
    app: &Arc<App>,
    row: &mut InvitationRow,
    to: Option<&Certificate>,
    step: &str,
    fields: &[(&str, String)],
) -> Result<bool, Failure> {
    if row.answers >= ANSWERS {
        return Ok(false);
    }
    let account = account_of(app, row).await?;
    let own = keyring::ensure(app, &account.address).await?;
    let mutual = own_preference(app, Some(&account)).await?;
    let now = app.now();
    let domain = account.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let person = |address: &str| Person { name: String::new(), address: address.to_owned() };
    let draft = Draft {
        from: person(&account.address),
        to: vec![person(&row.address)],
        subject: "Comparing keys".to_owned(),
        body: format!(
            "This message is between mail programs that compare keys ({step}). You can delete it.\n"
        ),
        message_id: compose::new_message_id(random(), domain),
        date: now,
        ..Draft::default()
    };
    let mut raw = prefixed(&compose::to_bytes(&draft), STEP, step);
    for (name, value) in fields {
        raw = prefixed(&raw, name, value);
    }
    let (to, address) = (to.cloned(), row.address.clone());
    let raw = blocking(move || {
        let raw = with_own_key(&raw, &own, mutual, now);
        to.map_or_else(|| Ok(raw.clone()), |to| sealed(&raw, &own, &to, &address, now))
    })
    .await?;
    row.answers += 1;
    let state = row.state.clone();
    if !note(app, row, &state).await? {
        return Ok(false);
    }
    outbox::queue_passing(app, &account, raw, std::slice::from_ref(&row.address)).await?;
    Ok(true)
}

/// Encrypted and signed, with all of the header inside, and with the key it is meant for: so it cannot be passed on.
fn sealed(raw: &[u8], own: &Own, to: &Certificate, address: &str, now: i64) -> Result<Vec<u8>, Failure> {
    let keydata = to.for_autocrypt(address, now)?;
    let gossip = [Gossip { address: address.to_owned(), keydata }];
    let wrapped = envelope::protected(raw, true, false, &gossip).map_err(|flaw| {
        Failure::failed(format!("The message could not be prepared for encryption: {flaw}"))
    })?;
    let mine = [own.key.certificate()];
    let (armoured, _) =
        openpgp::seal(&wrapped.payload, std::slice::from_ref(to), &mine, Some(&own.key), now)?;
    Ok(envelope::encrypted(&wrapped.outer, &armoured))
}
