//! What a message was wrapped in: opened, checked and judged. One way in for everybody who looks at mail, so that what is
//! shown, indexed, quoted and judged are the same bytes.
//!
//! What was opened lives in memory and in the sealed index only. The key of a message that was opened is kept with it, so
//! that it stays readable when the owner's keys change, and goes when the message goes.

use super::app::App;
use super::failure::{Failure, blocking};
use super::keyring::Own;
use super::peers::{self, News};
use super::{receive, securejoin};
use crate::crypto::openpgp::{
    self, Certificate, KeyId, SecretKey, SessionKey, Signature, UnsealError, Verdict,
};
use crate::mail::address::canonical;
use crate::mail::autocrypt::{self, Gossip};
use crate::mail::envelope::{
    self, Assurance, Binding, Closed, Facts, FieldState, FromTrouble, Kind, LAYERS_MAX, Layer, Opening, Pin,
    Protection, Summary,
};
use crate::mail::ids::MessageNumber;
use crate::mail::message::{self, Message};
use crate::storage::database::{
    Connection, EnvelopeRow, PeerKeyRow, PeerRow, commit, keys, messages, peers as peer_table, tags,
};
use std::collections::HashMap;
use std::sync::Arc;

/// So many messages are judged again when a key becomes known.
const SETTLED_AGAIN: u32 = 2000;
/// So many of the keys that are known for a sender are tried on a signature.
const SENDERS_KEYS: usize = 16;
/// So many keys of other recipients are taken from one message.
const GOSSIP_MAX: usize = 100;
/// So many attached keys of its sender are looked at.
const ATTACHED_MAX: usize = 3;
/// A file of keys that is larger, in bytes, is not looked into by itself.
const ATTACHED_BYTES: u64 = 128 << 10;

/// A message with its wrapping taken off.
pub struct Looked {
    /// The message as it was meant.
    pub message: Message,
    /// The bytes it was read from, where they are not those that came.
    pub inner: Option<Vec<u8>>,
    /// What it was wrapped in; nothing for most mail.
    pub wrapping: Option<Wrapping>,
    /// How many addresses From held outside.
    pub senders: usize,
    /// The same bytes with the From from inside, where that is another and nobody has vouched for it yet.
    claimed: Option<Vec<u8>>,
    /// Whether it may say anything of keys: no list handed it on, and no program wrote it by itself.
    tells: bool,
}

/// What a message was wrapped in.
#[derive(Clone, Debug, Default)]
pub struct Wrapping {
    /// What the layers mean for the whole.
    pub kind: Kind,
    /// What became of the encryption.
    pub opening: Opening,
    /// What opens it again.
    pub session_key: Option<SessionKey>,
    /// The signatures over the payload, checked with the certificates at hand.
    pub signatures: Vec<Signature>,
    /// How the header travelled.
    pub protection: Protection,
    /// Keys of other recipients, as written in the payload.
    pub gossip: Vec<String>,
    /// Whether what opened was sealed with a cipher of the last century.
    pub weak: bool,
}

/// What is needed to take the wrapping off, taken along to where it holds up nobody.
#[derive(Clone)]
pub struct Openers {
    keys: Arc<Vec<Own>>,
    sessions: HashMap<MessageNumber, SessionKey>,
    now: i64,
}

impl Openers {
    /// The owner's keys alone, for mail that is new.
    #[must_use]
    pub fn new(app: &App) -> Self {
        Self { keys: app.keyring.all(), sessions: HashMap::new(), now: app.now() }
    }

    /// The same with what was kept of these messages.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(
        app: &App,
        c: &mut Connection,
        numbers: impl IntoIterator<Item = MessageNumber>,
    ) -> Result<Self, Failure> {
        Ok(Self::new(app).with(peer_table::envelopes_of(c, numbers).await?))
    }

    fn with(mut self, rows: impl IntoIterator<Item = (MessageNumber, EnvelopeRow)>) -> Self {
        let session = |(number, row): (MessageNumber, EnvelopeRow)| {
            Some((number, SessionKey::from_text(&row.session_key).ok()?))
        };
        self.sessions = rows.into_iter().filter_map(session).collect();
        self
    }

    /// Looks at a message of the store.
    #[must_use]
    pub fn look(&self, number: Option<MessageNumber>, raw: &[u8], signers: &[Certificate]) -> Looked {
        let session = number.and_then(|number| self.sessions.get(&number));
        look(raw, &self.keys, session, signers, self.now)
    }
}

/// Takes the wrapping off a message. Pure work; bounded like everything that reads mail.
fn look(raw: &[u8], own: &[Own], session: Option<&SessionKey>, signers: &[Certificate], now: i64) -> Looked {
    let outer = message::parse(raw);
    let senders = outer.from.len();
    // Asked outside: what is inside must not hide that a list handed it on.
    let tells = autocrypt::changes_peers(&outer).is_ok() && !crate::mail::sender::is_bulk(&outer);
    let mut layer = envelope::outermost(raw, &outer);
    if layer == Layer::None {
        return Looked { message: outer, inner: None, wrapping: None, senders, claimed: None, tells };
    }
    let mut found = Wrapping::default();
    let mut payload: Option<Vec<u8>> = None;
    for _ in 0..LAYERS_MAX {
        let kind = layer.kind();
        let inside = match layer {
            // A signature that is not checked here is passed over where what it covers is encrypted.
            Layer::SMime { payload: Some(payload), .. } if is_encrypted(&payload) => Some(payload),
            Layer::None | Layer::SMime { .. } => None,
            Layer::Encrypted { body, .. } => found.open(&body, own, session, signers, now),
            Layer::InlineEncrypted { body, charset } => found
                .open(&body, own, session, signers, now)
                .map(|text| envelope::inline_payload(&text, charset.as_deref())),
            Layer::Signed { signed, signature } => {
                found.check(&signed, &[signature], signers, now);
                Some(signed)
            }
            Layer::Unobtrusive { signed, signatures } => {
                found.check(&signed, &signatures, signers, now);
                Some(signed)
            }
            Layer::InlineSigned { block, charset, .. } if kind == Kind::Signed => {
                match openpgp::verify_cleartext(&block, signers, now) {
                    Ok((text, signatures)) => {
                        found.signatures = signatures;
                        Some(envelope::inline_payload(&text, charset.as_deref()))
                    }
                    Err(_) => None,
                }
            }
            Layer::InlineSigned { .. } => None,
        };
        // Encryption goes before signing: a signature around it says nothing of who knew what is inside.
        if found.kind != Kind::Encrypted && kind != Kind::Plain {
            found.kind = kind;
        }
        let Some(inside) = inside else { break };
        let parsed = message::parse(&inside);
        layer = envelope::inner(&inside, &parsed);
        // What is encrypted twice is not opened twice: the inner one may have been put there to be opened.
        if found.kind == Kind::Encrypted && matches!(layer, Layer::Encrypted { .. }) {
            layer = Layer::None;
        }
        payload = Some(inside);
        if layer == Layer::None {
            break;
        }
    }
    let Some(payload) = payload else {
        return Looked { message: outer, inner: None, wrapping: Some(found), senders, claimed: None, tells };
    };
    let unwrapped = envelope::unwrapped(raw, &payload, found.kind == Kind::Encrypted);
    (found.protection, found.gossip) = (unwrapped.protection, unwrapped.gossip);
    let (mut inner, mut claimed) = (unwrapped.raw, None);
    if found.protection.from_differs.is_some() {
        // Until somebody vouches for the one inside, the one outside is shown: servers looked at that one.
        let shown = envelope::with_outer_from(&inner, raw);
        claimed = Some(std::mem::replace(&mut inner, shown));
    }
    let mut message = message::parse(&inner);
    let from = message.from.first().map(|p| canonical(&p.address)).unwrap_or_default();
    // To whom the owner sent a hidden copy stands only outside, and only in the owner's own mail.
    if message.bcc.is_empty() && own.iter().any(|own| own.address == from) {
        message.bcc = outer.bcc;
    }
    Looked { message, inner: Some(inner), wrapping: Some(found), senders, claimed, tells }
}

fn is_encrypted(payload: &[u8]) -> bool {
    matches!(envelope::inner(payload, &message::parse(payload)), Layer::Encrypted { .. })
}

impl Wrapping {
    /// Opens an encrypted layer; gives what was inside only after all of it was proved whole.
    fn open(
        &mut self,
        body: &[u8],
        own: &[Own],
        session: Option<&SessionKey>,
        signers: &[Certificate],
        now: i64,
    ) -> Option<Vec<u8>> {
        let keys: Vec<SecretKey> = own.iter().map(|own| own.key.clone()).collect();
        match openpgp::unseal(body, &keys, session, signers, now) {
            Ok(unsealed) => {
                // Those around the encryption do not count.
                self.signatures = unsealed.signatures;
                self.session_key = Some(unsealed.session_key);
                self.weak = unsealed.weak;
                Some(unsealed.plain)
            }
            Err(error) => {
                self.opening = Opening::Closed(closed(&error));
                None
            }
        }
    }

    fn check(&mut self, signed: &[u8], signatures: &[Vec<u8>], signers: &[Certificate], now: i64) {
        for signature in signatures {
            match openpgp::verify_detached(signed, signature, signers, now) {
                Ok(checked) => self.signatures.extend(checked),
                Err(error) => tracing::debug!(%error, "A signature cannot be read"),
            }
        }
    }

    /// The key IDs that claim to have signed.
    #[must_use]
    pub fn issuers(&self) -> Vec<String> {
        let mut ids: Vec<String> =
            self.signatures.iter().flat_map(|s| s.issuers.iter().map(KeyId::to_string)).collect();
        ids.dedup();
        ids
    }

    /// Whether it is encrypted and was not opened.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.opening, Opening::Closed(_)) || matches!(self.kind, Kind::Foreign)
    }

    /// Whether it was encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.kind, Kind::Encrypted | Kind::Foreign)
    }

    /// The row that is kept before anybody was asked about keys.
    #[must_use]
    pub fn row(&self) -> EnvelopeRow {
        let privacy = if self.is_closed() {
            "closed"
        } else if self.is_encrypted() {
            "unconfirmed"
        } else {
            "none"
        };
        EnvelopeRow {
            layer: word(self.kind).to_owned(),
            session_key: self.session_key.as_ref().map(|key| key.to_text().to_string()).unwrap_or_default(),
            issuer: self.issuers().into_iter().next().unwrap_or_default(),
            privacy: privacy.to_owned(),
            assurance: "none".to_owned(),
            signer: String::new(),
        }
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Plain => "plain",
        Kind::Encrypted => "encrypted",
        Kind::Signed => "signed",
        Kind::PartlySigned => "partly-signed",
        Kind::Foreign => "s/mime encrypted",
        Kind::ForeignSigned => "s/mime signed",
    }
}

fn closed(error: &UnsealError) -> Closed {
    match error {
        UnsealError::NoKey { recipients } => {
            Closed::NoKey(recipients.iter().filter(|id| !id.is_wildcard()).map(KeyId::to_string).collect())
        }
        UnsealError::NotProtected | UnsealError::Damaged => Closed::Changed,
        UnsealError::TooLarge | UnsealError::TooDeep => Closed::TooLarge,
        _ => Closed::Malformed,
    }
}

/// What a message says of its sender's key; nothing where it may not change anything.
#[must_use]
pub fn news(looked: &Looked, own: &std::collections::BTreeSet<String>) -> Option<News> {
    let message = &looked.message;
    if !looked.tells || looked.claimed.is_some() {
        return None;
    }
    autocrypt::changes_peers(message).ok()?;
    let [from] = message.from.as_slice() else { return None };
    let address = canonical(&from.address);
    if own.contains(&address) || address.len() > 320 {
        return None;
    }
    let fields =
        message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(autocrypt::Header::NAME));
    let fields = fields.map(|(_, value)| value.as_str());
    let header = autocrypt::sole(fields, &address, |keydata| Certificate::parse(keydata).ok());
    let program = message.header("user-agent").or_else(|| message.header("x-mailer")).unwrap_or_default();
    let program: String = program.chars().filter(|c| !c.is_control()).take(80).collect();
    Some(News { address, header, program })
}

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
        && let Some(name) = super::sender::name_of_another(app, c, message).await?
    {
        found.push(FromTrouble::NameOfAnother(name));
    }
    Ok(found)
}

/// Judges messages that just came and keeps what may be said of them, for lists; takes in the keys of other recipients that
/// they tell. Mail without a cryptographic layer costs nothing here.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn settle(app: &Arc<App>, numbers: &[MessageNumber]) -> Result<(), Failure> {
    let rows = peer_table::envelopes_of(&mut *app.reader.get().await?, numbers.iter().copied()).await?;
    for number in numbers {
        let Some(before) = rows.get(number) else { continue };
        // Nobody knows the key: there is nothing to be said, and nothing to be read for it.
        if before.layer == "signed" && !before.issuer.is_empty() {
            let issuer = std::slice::from_ref(&before.issuer);
            let known = keys::certificates_by_key(&mut *app.reader.get().await?, issuer).await?;
            let own = || {
                app.keyring
                    .all()
                    .iter()
                    .any(|own| own.key.certificate().key_ids().iter().any(|id| id.as_str() == before.issuer))
            };
            if known.is_empty() && !own() {
                continue;
            }
        }
        if let Err(error) = settle_one(app, *number, before).await {
            tracing::warn!(%error, "A message could not be judged; it is judged when it is opened");
        }
    }
    Ok(())
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

/// Judges mail again after a key became known: what it signed, and, where it is the owner's, what was closed.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn settle_again(
    app: &Arc<App>,
    certificate: &Certificate,
    closed: bool,
) -> Result<(), Failure> {
    let ids: Vec<String> = certificate.key_ids().iter().map(ToString::to_string).collect();
    let numbers = {
        let mut reader = app.reader.get().await?;
        peer_table::unsettled(&mut reader, &ids, closed, SETTLED_AGAIN).await?
    };
    settle(app, &numbers).await
}
