//! What a message was wrapped in: opened, checked and judged. One way in for everybody who looks at mail, so that what is
//! shown, indexed, quoted and judged are the same bytes.
//!
//! What was opened lives in memory and in the sealed index only. The key of a message that was opened is kept with it, so
//! that it stays readable when the owner's keys change, and goes when the message goes.

mod judge;
mod settle;

pub use judge::{Judged, judge};
pub use settle::run;
pub(in crate::engine) use settle::{settle, settle_again};

use super::app::App;
use super::failure::Failure;
use super::keyring::Own;
use super::peers::News;
use crate::crypto::openpgp::{self, Certificate, KeyId, SecretKey, SessionKey, Signature, UnsealError};
use crate::mail::address::canonical;
use crate::mail::autocrypt;
use crate::mail::envelope::{self, Closed, Kind, LAYERS_MAX, Layer, Opening, Protection};
use crate::mail::ids::MessageNumber;
use crate::mail::message::{self, Message};
use crate::storage::database::{Connection, EnvelopeRow, peers as peer_table};
use std::collections::HashMap;
use std::sync::Arc;

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
