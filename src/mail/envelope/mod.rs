//! Messages that are encrypted or signed as a whole (the words are those of RFC 9787): the Cryptographic Envelope is the
//! unbroken run of layers from the outside, the Payload is what lies inside, and the Summary says of the whole message what
//! may be said of it. Layers further in say nothing about the message. No cryptography is done here: bytes in, bytes out.
//!
//! Reading goes so: [`outermost`] finds the layer; the caller opens or checks it and asks [`inner`] about what was inside,
//! until there is no further layer; [`unwrapped`] makes one whole message of the innermost payload; [`summary`] judges.
//! Writing goes the other way: [`protected`] makes the payload of a finished message; the caller encrypts or signs it;
//! [`encrypted`], [`signed`] or [`signed_unobtrusively`] put the message together.

mod entity;
mod facts;
mod inline;
mod layer;
mod legacy;
mod protect;
mod protection;
mod summary;
#[cfg(test)]
mod tests;
mod unwrap;
mod write;

pub use facts::{Binding, Closed, Facts, FromTrouble, Opening, Pin, Signature, Verdict, from_troubles};
pub use inline::inline_payload;
pub use layer::{Kind, LAYERS_MAX, Layer, inner, outermost};
pub use protect::{Flaw, Protected, protected, protected_draft, with_field};
pub use protection::{CLEAR_REPLY_SUBJECT, FieldState, Guard, HIDDEN_SUBJECT, Protection};
pub use summary::{Assurance, Privacy, Summary, summary};
pub use unwrap::{Unwrapped, unwrapped, with_outer_from};
pub use write::{draft_encrypted, encrypted, key_attachment, setup_message, signed, signed_unobtrusively};
