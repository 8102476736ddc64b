//! What a message is wrapped in: PGP/MIME (RFC 3156), what some servers make of it, unobtrusive signatures
//! (draft-ietf-mailmaint-unobtrusive-signatures), OpenPGP in plain text, S/MIME.

use data_encoding::BASE64;

use super::entity::{Entity, crlf};
use super::inline;
use crate::mail::message::Message;
use crate::mail::part::{Disposition, Part};

/// More layers than this within each other are not opened.
pub const LAYERS_MAX: usize = 4;
/// At most so many signatures beside each other are looked at.
const SIGNATURES_MAX: usize = 20;

/// The outermost layer of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// None: whatever is signed or encrypted in it says nothing about the message.
    None,
    /// Encrypted.
    Encrypted {
        /// The OpenPGP message, armoured or binary.
        body: Vec<u8>,
        /// It was not quite as RFC 3156 wants it; some servers mangle it on the way.
        mended: bool,
    },
    /// Signed beside the text (`multipart/signed`).
    Signed {
        /// What the signature covers, lines ended by CRLF; the payload at the same time.
        signed: Vec<u8>,
        /// The OpenPGP signature, armoured or binary.
        signature: Vec<u8>,
    },
    /// Signed in fields that programs without OpenPGP pass over.
    Unobtrusive {
        /// What the signatures cover, lines ended by CRLF; the payload at the same time.
        signed: Vec<u8>,
        /// The OpenPGP signatures, binary.
        signatures: Vec<Vec<u8>>,
    },
    /// The only text is an encrypted OpenPGP message and nothing else.
    InlineEncrypted {
        /// The armoured OpenPGP message.
        body: Vec<u8>,
        /// The charset that the text declares.
        charset: Option<String>,
    },
    /// The only text holds a piece signed in the clear (RFC 9580 §7).
    InlineSigned {
        /// The signed piece with its armour, bytes as they were once the transfer encoding is undone.
        block: Vec<u8>,
        /// The charset that the text declares.
        charset: Option<String>,
        /// Text before it, which nobody signed.
        before: String,
        /// Text behind it, which nobody signed.
        after: String,
    },
    /// S/MIME (RFC 8551), which is not read here.
    SMime {
        /// It is encrypted, or may be.
        encrypted: bool,
        /// What a signature beside it (`multipart/signed`) covers.
        payload: Option<Vec<u8>>,
    },
}

/// What a layer means for the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    #[default]
    Plain,
    /// All of it is encrypted.
    Encrypted,
    /// All of it is signed.
    Signed,
    /// Some of its text is signed, and some is not.
    PartlySigned,
    /// It is encrypted in a way that is not read here.
    Foreign,
    /// It is signed in a way that is not read here.
    ForeignSigned,
}

impl Layer {
    /// What it means for the message.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::None => Kind::Plain,
            Self::Encrypted { .. } | Self::InlineEncrypted { .. } => Kind::Encrypted,
            Self::Signed { .. } | Self::Unobtrusive { .. } => Kind::Signed,
            Self::InlineSigned { before, after, .. }
                if before.trim().is_empty() && after.trim().is_empty() =>
            {
                Kind::Signed
            }
            Self::InlineSigned { .. } => Kind::PartlySigned,
            Self::SMime { encrypted: true, .. } => Kind::Foreign,
            Self::SMime { encrypted: false, .. } => Kind::ForeignSigned,
        }
    }
}

/// The outermost layer of a message. `message` is what [`crate::mail::message::parse`] made of `raw`.
#[must_use]
pub fn outermost(raw: &[u8], message: &Message) -> Layer {
    let Some(root) = message.parts.first() else { return Layer::None };
    let children: Vec<&Part> = message.parts.iter().filter(|part| part.parent == Some(root.n)).collect();
    match root.content_type.as_str() {
        "multipart/encrypted" => encrypted(raw, root, &children),
        "multipart/signed" => signed(raw, root, &children),
        "multipart/mixed" => mixed(raw, message, &children),
        "application/pkcs7-mime" | "application/x-pkcs7-mime" => {
            let is_signed = matches!(root.detail.as_deref(), Some("signed-data" | "certs-only"));
            Layer::SMime { encrypted: !is_signed, payload: None }
        }
        // A multipart that holds nothing passes for text too: there the declared type is asked.
        "text/plain" if root.disposition != Disposition::Attachment => {
            let declared = Entity::message(raw).content_type().value;
            if declared.is_empty() || declared == "text/plain" {
                inline::find(raw, root)
            } else {
                Layer::None
            }
        }
        _ => Layer::None,
    }
}

/// The next layer inside a payload. Only what the standards nest counts here: nothing mended, and no text.
#[must_use]
pub fn inner(payload: &[u8], message: &Message) -> Layer {
    match outermost(payload, message) {
        layer @ (Layer::Encrypted { mended: false, .. } | Layer::Signed { .. } | Layer::SMime { .. }) => {
            layer
        }
        _ => Layer::None,
    }
}

const OPENPGP: &str = "application/pgp-encrypted";
const SIGNATURE: &str = "application/pgp-signature";

/// RFC 3156 §4: exactly two parts, the first of them the version, the second the message.
fn encrypted(raw: &[u8], root: &Part, children: &[&Part]) -> Layer {
    let [version, body] = children else { return Layer::None };
    let protocol = root.detail.as_deref();
    if version.content_type != OPENPGP
        || body.content_type != "application/octet-stream"
        || protocol.is_some_and(|protocol| protocol != OPENPGP)
    {
        return Layer::None;
    }
    let mended = protocol.is_none() || !says_version(raw, version);
    Layer::Encrypted { body: body.decoded(raw).into_owned(), mended }
}

/// RFC 3156 §5: exactly two parts, the second of them a signature over the first.
fn signed(raw: &[u8], root: &Part, children: &[&Part]) -> Layer {
    if root.detail.as_deref().is_some_and(|protocol| protocol.contains("pkcs7-signature")) {
        let payload = children.first().map(|part| crlf(part.raw_whole(raw)));
        return Layer::SMime { encrypted: false, payload };
    }
    let [payload, signature] = children else { return Layer::None };
    if signature.content_type != SIGNATURE
        || root.detail.as_deref().is_some_and(|protocol| protocol != SIGNATURE)
    {
        return Layer::None;
    }
    Layer::Signed { signed: crlf(payload.raw_whole(raw)), signature: signature.decoded(raw).into_owned() }
}

fn mixed(raw: &[u8], message: &Message, children: &[&Part]) -> Layer {
    match children {
        [only] => unobtrusive(raw, only),
        // Exchange and others call the multipart mixed and put a text of their own first.
        [text, version, body] if is_added(raw, text) => mangled(raw, version, body),
        [version, body] if version.content_type == OPENPGP => mangled(raw, version, body),
        // Google's servers put a footer before the encrypted multipart.
        [text, whole] if whole.content_type == "multipart/encrypted" && is_added(raw, text) => {
            let below: Vec<&Part> =
                message.parts.iter().filter(|part| part.parent == Some(whole.n)).collect();
            match encrypted(raw, whole, &below) {
                Layer::Encrypted { body, .. } => Layer::Encrypted { body, mended: true },
                _ => Layer::None,
            }
        }
        _ => Layer::None,
    }
}

fn mangled(raw: &[u8], version: &Part, body: &Part) -> Layer {
    if version.content_type != OPENPGP || body.content_type != "application/octet-stream" {
        return Layer::None;
    }
    let body = body.decoded(raw).into_owned();
    let is_openpgp = body.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----")
        // Every binary OpenPGP packet begins with a set bit (RFC 9580 §4.2).
        || body.first().is_some_and(|byte| byte & 0x80 != 0);
    if is_openpgp || says_version(raw, version) {
        Layer::Encrypted { body, mended: true }
    } else {
        Layer::None
    }
}

fn says_version(raw: &[u8], part: &Part) -> bool {
    part.decoded(raw).trim_ascii().to_ascii_lowercase().starts_with(b"version: 1")
}

/// A text that a server put there, so that nothing a person wrote is lost when it is left out.
fn is_added(raw: &[u8], part: &Part) -> bool {
    if part.content_type != "text/plain" || part.raw_body(raw).len() > 16 << 10 {
        return false;
    }
    let text = part.text(raw);
    let text = text.trim_start();
    text.is_empty()
        || text.starts_with("-- ")
        || text.starts_with("--\n")
        || text.trim_end() == "Empty Message"
}

/// The signature fields stand at the beginning of the only part and are not signed themselves.
fn unobtrusive(raw: &[u8], part: &Part) -> Layer {
    let whole = part.raw_whole(raw);
    // Nearly all of these are large files and nothing else: no copy of them for a look at three letters.
    if signature_name(whole).is_none() {
        return Layer::None;
    }
    let whole = crlf(whole);
    let mut rest = whole.as_slice();
    let mut signatures = Vec::new();
    while let Some((value, after)) = signature_field(rest) {
        if let Some(signature) = signature_in(value).filter(|_| signatures.len() < SIGNATURES_MAX) {
            signatures.push(signature);
        }
        rest = after;
    }
    if signatures.is_empty() {
        return Layer::None;
    }
    Layer::Unobtrusive { signed: rest.to_vec(), signatures }
}

/// A `Sig` field at the beginning: its value, and what follows it.
fn signature_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let value = signature_name(bytes)?.trim_ascii_start().strip_prefix(b":")?;
    let mut end = 0;
    loop {
        let line = memchr::memchr(b'\n', value.get(end..)?)?;
        end += line + 1;
        if !matches!(value.get(end), Some(b' ' | b'\t')) {
            return Some(value.split_at(end));
        }
    }
}

/// What follows the name of the field at the beginning.
fn signature_name(bytes: &[u8]) -> Option<&[u8]> {
    let (name, rest) = bytes.split_at_checked(3)?;
    name.eq_ignore_ascii_case(b"sig").then_some(rest)
}

/// The OpenPGP signature (`t=p`) in the value of such a field.
fn signature_in(value: &[u8]) -> Option<Vec<u8>> {
    let text: String = String::from_utf8_lossy(value).split_whitespace().collect();
    let attribute = |name: &str| {
        text.split(';')
            .filter_map(|piece| piece.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, v)| v)
    };
    if !attribute("t")?.eq_ignore_ascii_case("p") {
        return None;
    }
    BASE64.decode(attribute("b")?.as_bytes()).ok().filter(|signature| !signature.is_empty())
}
