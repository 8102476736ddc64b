//! What messages between devices say, one shape for each kind.

use super::Kind;
use super::fields::{Flaw, Reader, Writer, whole};
use super::folder::DeviceId;
use super::payload::BODY_MAX;
use super::statement::{STATEMENT_MAX, Statement};

/// A name that a person gives a device is no longer than this, in bytes.
pub(super) const NAME_MAX: usize = 100;
/// What Olm makes is no longer than this, in bytes.
const OLM_MAX: usize = BODY_MAX - 64;

/// The two public keys that make a device: what it signs with, and what secrets for it are agreed on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Keys {
    /// Ed25519.
    pub signing: [u8; 32],
    /// Curve25519.
    pub agreement: [u8; 32],
}

impl Keys {
    pub(super) fn write(self, writer: Writer) -> Writer {
        writer.bytes(&self.signing).bytes(&self.agreement)
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Flaw> {
        Ok(Self { signing: reader.array("signing key")?, agreement: reader.array("agreement key")? })
    }
}

/// A Curve25519 key that begins a session with a device, signed by it: good once, or for a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneTimeKey {
    /// The key.
    pub key: [u8; 32],
    /// The device's Ed25519 signature over [`OneTimeKey::signed_bytes`].
    pub signature: [u8; 64],
}

impl OneTimeKey {
    /// What is signed of such a key.
    #[must_use]
    pub fn signed_bytes(device: DeviceId, key: &[u8; 32]) -> Vec<u8> {
        Writer::new("autocrypt-sma/1 one-time key").text(&device.to_string()).bytes(key).done()
    }

    fn write(&self, writer: Writer) -> Writer {
        writer.bytes(&self.key).bytes(&self.signature)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Flaw> {
        Ok(Self { key: reader.array("one-time key")?, signature: reader.array("key signature")? })
    }
}

/// A device says that it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// Its keys. For a device on the roster the roster's count.
    pub keys: Keys,
    /// What a session with it can be begun with.
    pub fallback: OneTimeKey,
    /// The program, and its version.
    pub program: String,
}

/// A new device asks to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its keys.
    pub keys: Keys,
    /// The hash of what it will reveal, another one for each device that is asked.
    pub commitment: [u8; 32],
    /// What it calls itself.
    pub name: String,
    /// That it knows the code which the device that is asked shows, where it was typed into it.
    pub proof: Option<[u8; 32]>,
}

/// A person let a request pass on to the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The keys of the device that lets in.
    pub keys: Keys,
    /// Its Curve25519 key for this pairing alone.
    pub ephemeral: [u8; 32],
    /// The hash of the request's payload.
    pub request: [u8; 32],
}

/// The new device opens its commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// Its Curve25519 key for this pairing alone.
    pub ephemeral: [u8; 32],
    /// What made the commitment impossible to guess.
    pub nonce: [u8; 32],
    /// The hash of the acceptance's payload.
    pub accept: [u8; 32],
}

/// A device proves that its keys are those of the compared string, or that it knows the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mac {
    /// The code over its keys, or over all that was said.
    pub mac: [u8; 32],
    /// What the first session with it begins with; the new device sends one.
    pub one_time: Option<OneTimeKey>,
}

/// Why a pairing is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cancel {
    /// Somebody ended it.
    Ended,
    /// What was typed is not what was shown.
    WrongString,
    /// Two devices asked at once.
    TwoRequests,
    /// Another device let the new one in.
    Elsewhere,
    /// A message of it was not what it had to be.
    Broken,
    /// It took too long.
    Expired,
    /// The device that was asked shows no such code, or does not any more.
    WrongCode,
}

impl Cancel {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Ended,
        Self::WrongString,
        Self::TwoRequests,
        Self::Elsewhere,
        Self::Broken,
        Self::Expired,
        Self::WrongCode,
    ];

    /// Its word in a message.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::WrongString => "wrong-string",
            Self::TwoRequests => "two-requests",
            Self::Elsewhere => "elsewhere",
            Self::Broken => "broken",
            Self::Expired => "expired",
            Self::WrongCode => "wrong-code",
        }
    }
}

/// What Olm made of [`super::Contents`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// It begins a session (Olm's type 0); otherwise it goes on with one (type 1).
    pub begins: bool,
    /// The Olm message.
    pub olm: Vec<u8>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// See [`Announce`].
    Announce(Announce),
    /// See [`Request`].
    Request(Request),
    /// See [`Accept`].
    Accept(Accept),
    /// See [`Reveal`].
    Reveal(Reveal),
    /// See [`Mac`].
    Mac(Mac),
    /// Why a pairing is over, and the Ed25519 key of who says so.
    Cancel {
        /// See [`Cancel`].
        why: Cancel,
        /// Before keys were compared it proves nothing: whoever can lay messages can end a pairing.
        signing: [u8; 32],
    },
    /// See [`Sealed`].
    Update(Sealed),
    /// What came could not be opened: with this key a new session is to be begun, and all of it said anew.
    Reset(OneTimeKey),
    /// The statement that removed a device.
    Removed(Statement),
}

impl Body {
    /// Which kind of message says it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Announce(_) => Kind::Announce,
            Self::Request(_) => Kind::PairRequest,
            Self::Accept(_) => Kind::PairAccept,
            Self::Reveal(_) => Kind::PairReveal,
            Self::Mac(_) => Kind::PairMac,
            Self::Cancel { .. } => Kind::PairCancel,
            Self::Update(_) => Kind::Update,
            Self::Reset(_) => Kind::Reset,
            Self::Removed(_) => Kind::Removed,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let w = Writer::default();
        match self {
            Self::Announce(it) => it.fallback.write(it.keys.write(w)).text(&it.program),
            Self::Request(it) => {
                let w = it.keys.write(w).bytes(&it.commitment).text(&it.name);
                it.proof.iter().fold(w, |w, proof| w.bytes(proof))
            }
            Self::Accept(it) => it.keys.write(w).bytes(&it.ephemeral).bytes(&it.request),
            Self::Reveal(it) => w.bytes(&it.ephemeral).bytes(&it.nonce).bytes(&it.accept),
            Self::Mac(it) => {
                let w = w.bytes(&it.mac).flag(it.one_time.is_some());
                it.one_time.iter().fold(w, |w, key| key.write(w))
            }
            Self::Cancel { why, signing } => w.text(why.as_str()).bytes(signing),
            Self::Update(it) => w.number(u64::from(!it.begins)).bytes(&it.olm),
            Self::Reset(key) => key.write(w),
            Self::Removed(statement) => w.bytes(&statement.to_bytes()),
        }
        .done()
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Why it is none of this kind.
    pub fn parse(kind: Kind, bytes: &[u8]) -> Result<Self, Flaw> {
        whole(bytes, |r| {
            Ok(match kind {
                Kind::Announce => Self::Announce(Announce {
                    keys: Keys::read(r)?,
                    fallback: OneTimeKey::read(r)?,
                    program: r.text("program", NAME_MAX)?,
                }),
                Kind::PairRequest => Self::Request(Request {
                    keys: Keys::read(r)?,
                    commitment: r.array("commitment")?,
                    name: r.text("name", NAME_MAX)?,
                    proof: if r.has_more() { Some(r.array("proof")?) } else { None },
                }),
                Kind::PairAccept => Self::Accept(Accept {
                    keys: Keys::read(r)?,
                    ephemeral: r.array("ephemeral key")?,
                    request: r.array("request")?,
                }),
                Kind::PairReveal => Self::Reveal(Reveal {
                    ephemeral: r.array("ephemeral key")?,
                    nonce: r.array("nonce")?,
                    accept: r.array("accept")?,
                }),
                Kind::PairMac => {
                    let mac = r.array("mac")?;
                    let one_time = if r.flag("has key")? { Some(OneTimeKey::read(r)?) } else { None };
                    Self::Mac(Mac { mac, one_time })
                }
                Kind::PairCancel => {
                    let why = r.text("why", 32)?;
                    let why = Cancel::ALL.into_iter().find(|known| known.as_str() == why);
                    let why = why.ok_or(Flaw::Value("why"))?;
                    Self::Cancel { why, signing: r.array("signing key")? }
                }
                Kind::Update => {
                    let begins = match r.number("olm type")? {
                        0 => true,
                        1 => false,
                        _ => return Err(Flaw::Value("olm type")),
                    };
                    Self::Update(Sealed { begins, olm: r.bytes(OLM_MAX)?.to_vec() })
                }
                Kind::Reset => Self::Reset(OneTimeKey::read(r)?),
                Kind::Removed => {
                    let statement = Statement::parse(r.bytes(STATEMENT_MAX)?)?;
                    if statement.deed.adds().is_some() {
                        return Err(Flaw::Value("deed"));
                    }
                    Self::Removed(statement)
                }
            })
        })
    }
}
