//! What is said of messages, case by case.

use super::*;
use crate::mail::envelope::summary as judge;

fn signature(verdict: Verdict, binding: Binding, pin: Pin) -> Signature {
    Signature {
        verdict,
        signer: Some("A11CE".to_owned()),
        made_at: Some(1_000_000),
        binding,
        for_owner: true,
        pin,
    }
}

fn facts(kind: Kind, signatures: Vec<Signature>) -> Facts {
    Facts { kind, signatures, date: Some(1_000_060), ..Facts::default() }
}

const SAME: Pin = Pin::Same { since: 5, messages: 41 };

#[test]
fn a_good_signature_of_the_sender_says_how_well_the_key_is_known() {
    for (pin, assurance, privacy) in [
        (Pin::None, Assurance::NewKey, Privacy::Private),
        (Pin::First, Assurance::NewKey, Privacy::Private),
        (SAME, Assurance::SameKey, Privacy::Private),
        (Pin::Verified, Assurance::Verified, Privacy::Private),
        (Pin::Differs, Assurance::DifferentKey, Privacy::Private),
    ] {
        for binding in [Binding::UserId, Binding::Peer] {
            for verdict in [Verdict::Good, Verdict::GoodThen] {
                let mine = vec![signature(verdict, binding, pin)];
                let signed = judge(&facts(Kind::Signed, mine.clone()));
                assert_eq!((signed.privacy, signed.assurance), (Privacy::None, assurance), "{pin:?}");
                assert_eq!(signed.signer.as_deref(), Some("A11CE"));
                let sealed = judge(&facts(Kind::Encrypted, mine));
                assert_eq!((sealed.privacy, sealed.assurance), (privacy, assurance), "{pin:?}");
                assert!(!sealed.reasons.is_empty());
            }
        }
    }
}

#[test]
fn a_signature_that_is_no_good_counts_like_none() {
    let bare = |kind| judge(&facts(kind, Vec::new()));
    let mut bad: Vec<Signature> = [
        Verdict::Unknown,
        Verdict::Bad,
        Verdict::Weak,
        Verdict::FromFuture,
        Verdict::KeyNotValid,
        Verdict::Revoked,
        Verdict::Expired,
        Verdict::Malformed,
    ]
    .map(|verdict| signature(verdict, Binding::Peer, Pin::Verified))
    .into();
    bad.push(signature(Verdict::Good, Binding::None, Pin::Verified));
    bad.push(Signature { for_owner: false, ..signature(Verdict::Good, Binding::Peer, SAME) });
    bad.push(Signature { signer: None, ..signature(Verdict::Good, Binding::Peer, SAME) });
    bad.push(Signature { made_at: Some(1), ..signature(Verdict::Good, Binding::Peer, SAME) });
    let mut told = std::collections::BTreeSet::new();
    for one in bad {
        for kind in [Kind::Signed, Kind::Encrypted] {
            let found = judge(&facts(kind, vec![one.clone()]));
            assert_eq!(
                (found.privacy, found.assurance, &found.signer),
                (bare(kind).privacy, Assurance::None, &None),
                "{one:?}"
            );
            assert!(found.reasons.iter().any(|reason| reason.contains("counts as unsigned")), "{found:?}");
            told.insert(found.reasons[0].clone());
        }
    }
    assert_eq!(told.len(), 12, "each has its own reason: {told:#?}");
    assert_eq!(bare(Kind::Encrypted).privacy, Privacy::Unconfirmed);
    assert_eq!(bare(Kind::Plain), Summary::default());
}

#[test]
fn any_good_signature_of_the_sender_suffices_and_the_best_known_counts() {
    let found = judge(&facts(
        Kind::Encrypted,
        vec![
            signature(Verdict::Bad, Binding::Peer, Pin::Verified),
            Signature {
                signer: Some("0TH3R".into()),
                ..signature(Verdict::Good, Binding::UserId, Pin::Differs)
            },
            signature(Verdict::Good, Binding::Peer, SAME),
        ],
    ));
    assert_eq!((found.privacy, found.assurance), (Privacy::Private, Assurance::SameKey));
    assert_eq!(found.signer.as_deref(), Some("A11CE"));
    assert_eq!(found.reasons, ["The address has used the same key in 41 messages."]);
}

#[test]
fn a_from_that_deceives_is_vouched_for_by_no_signature() {
    for trouble in [
        FromTrouble::Missing,
        FromTrouble::Several,
        FromTrouble::HoldsAddress("boss@example.org".into()),
        FromTrouble::NameOfAnother("The Boss".into()),
        FromTrouble::Hidden,
    ] {
        let mut facts = facts(Kind::Encrypted, vec![signature(Verdict::Good, Binding::Peer, Pin::Verified)]);
        facts.from.push(trouble.clone());
        let found = judge(&facts);
        assert_eq!((found.privacy, found.assurance), (Privacy::Unconfirmed, Assurance::None), "{trouble:?}");
        assert_eq!(found.signer, None);
        assert!(found.reasons.len() >= 2, "{found:?}");
    }
}

#[test]
fn a_date_that_was_signed_along_may_differ() {
    let old = Signature { made_at: Some(1), ..signature(Verdict::Good, Binding::Peer, SAME) };
    let mut facts = facts(Kind::Signed, vec![old]);
    assert_eq!(judge(&facts).assurance, Assurance::None);
    facts.date_is_signed = true;
    assert_eq!(judge(&facts).assurance, Assurance::SameKey);
    (facts.date_is_signed, facts.date) = (false, Some(86_401));
    assert_eq!(judge(&facts).assurance, Assurance::SameKey, "a day is allowed");
    facts.date = Some(i64::MIN);
    assert_eq!(judge(&facts).assurance, Assurance::None);
}

#[test]
fn what_cannot_be_opened_is_closed_and_says_why() {
    for why in [
        Closed::NoKey(Vec::new()),
        Closed::NoKey(vec!["AB12".into(), "CD34".into()]),
        Closed::Changed,
        Closed::Malformed,
        Closed::TooLarge,
        Closed::Passphrase,
    ] {
        let mut facts = facts(Kind::Encrypted, vec![signature(Verdict::Good, Binding::Peer, Pin::Verified)]);
        facts.opening = Opening::Closed(why.clone());
        let found = judge(&facts);
        assert_eq!((found.privacy, found.assurance, found.signer), (Privacy::Closed, Assurance::None, None));
        assert_eq!(found.reasons.len(), 1, "{why:?}");
    }
    for (kind, privacy) in [
        (Kind::Foreign, Privacy::Closed),
        (Kind::ForeignSigned, Privacy::None),
        (Kind::PartlySigned, Privacy::None),
    ] {
        let found = judge(&facts(kind, vec![signature(Verdict::Good, Binding::Peer, Pin::Verified)]));
        assert_eq!((found.privacy, found.assurance), (privacy, Assurance::None), "{kind:?}");
        assert_eq!(found.reasons.len(), 1);
    }
}

#[test]
fn reasons_are_whole_sentences() {
    let verdicts = [Verdict::Good, Verdict::GoodThen, Verdict::Unknown, Verdict::Bad, Verdict::Revoked];
    for kind in [Kind::Encrypted, Kind::Signed, Kind::Foreign, Kind::PartlySigned] {
        for verdict in verdicts {
            for pin in [Pin::None, Pin::First, SAME, Pin::Same { since: 1, messages: 1 }, Pin::Differs] {
                for reason in judge(&facts(kind, vec![signature(verdict, Binding::Peer, pin)])).reasons {
                    assert!(reason.ends_with('.') && reason.starts_with(char::is_uppercase), "{reason}");
                    assert!(!reason.contains('!') && !reason.contains("  "), "{reason}");
                }
            }
        }
    }
    let words: Vec<&str> =
        [Privacy::None, Privacy::Private, Privacy::Unconfirmed, Privacy::Closed].map(Privacy::as_str).into();
    assert_eq!(words, ["none", "private", "unconfirmed", "closed"]);
    let words = [
        Assurance::None,
        Assurance::SameKey,
        Assurance::Verified,
        Assurance::NewKey,
        Assurance::DifferentKey,
    ];
    assert_eq!(words.map(Assurance::as_str), ["none", "same-key", "verified", "new-key", "different-key"]);
}

#[test]
fn from_itself_shows_some_of_its_troubles() {
    for (from, troubles) in [
        ("From: Alice <alice@example.org>", vec![]),
        ("From: alice@example.org", vec![]),
        ("From: \"alice@example.org\" <alice@example.org>", vec![]),
        (
            "From: \"boss@example.org\" <eve@example.net>",
            vec![FromTrouble::HoldsAddress("boss@example.org".into())],
        ),
        ("From: a@x, b@x", vec![FromTrouble::Several]),
        ("From: a@x\nFrom: b@x", vec![FromTrouble::Several]),
        ("From: Alice", vec![FromTrouble::Missing]),
        ("Subject: Tea", vec![FromTrouble::Missing]),
        ("From: \"Al\u{202e}ice\" <a@x>", vec![FromTrouble::Hidden]),
    ] {
        assert_eq!(from_troubles(&message::parse(format!("{from}\n\nHi").as_bytes())), troubles, "{from}");
    }
}
