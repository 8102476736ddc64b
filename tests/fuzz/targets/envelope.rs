//! Layers, payloads and protected headers, on any bytes: as a message, and as what was inside one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::mail::envelope::{
    FieldState, Layer, encrypted, inner, outermost, protected, signed_unobtrusively, unwrapped, with_outer_from,
};
use mailkeep_fuzz::mail::message;

const ARMOR: &str = "-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n";

fuzz_target!(|bytes: &[u8]| {
    // A message and a payload, where the input holds a mark between them.
    let cut = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (outer, payload) = bytes.split_at(cut);
    let payload = payload.strip_prefix(b"\0").unwrap_or(outer);
    let parsed = message::parse(outer);
    let layer = outermost(outer, &parsed);
    let _kind = layer.kind();
    if let Layer::Signed { signed, .. } | Layer::Unobtrusive { signed, .. } = &layer {
        assert!(signed.len() <= 2 * outer.len(), "no more is signed than there is");
    }
    let _inner = inner(payload, &message::parse(payload));
    for sealed in [false, true] {
        let found = unwrapped(outer, payload, sealed);
        let room = 4 * (outer.len() + payload.len()) + 10_000;
        assert!(found.raw.len() <= room, "{} bytes of {}", found.raw.len(), bytes.len());
        assert!(sealed || found.gossip.is_empty(), "gossip counts only from inside a seal");
        let whole = message::parse(&found.raw);
        assert!(whole.header("hp-outer").is_none());
        if !sealed {
            assert!(found.protection.fields.iter().all(|(_, state)| *state != FieldState::Confidential));
        }
        if found.protection.stated {
            let within = message::parse(payload);
            assert!(whole.to.len() <= within.to.len(), "nobody from outside is written to");
            assert!(whole.reply_to.len() <= within.reply_to.len());
        }
        let _shown = message::parse(&with_outer_from(&found.raw, outer));
    }
    for cipher in [false, true] {
        let Ok(made) = protected(outer, cipher, true, &[]) else { continue };
        assert!(message::parse(&made.payload).header("bcc").is_none());
        let raw = if cipher {
            encrypted(&made.outer, ARMOR)
        } else {
            assert!(made.payload.is_ascii());
            signed_unobtrusively(&made.outer, &made.payload, b"signature")
        };
        let _read = outermost(&raw, &message::parse(&raw));
        let _back = unwrapped(&raw, &made.payload, cipher);
    }
});
