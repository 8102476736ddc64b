//! Stories of senders: what is said about them, and what is not.

use super::*;
use crate::mail::message;

fn circle() -> Circle {
    let person = |address: &str, name: &str, written: bool| Acquaintance {
        address: address.into(),
        name: name.into(),
        written,
    };
    let own = ["alice@alice.example".to_owned()];
    Circle::new(
        [
            person("anna@meyer.example", "Anna Meyer", true),
            person("service@paypal.com", "PayPal", true),
            person("bob@modern.example", "Bob Marlow", true),
            person("carol@gmail.com", "Carol Okafor", true),
            person("news@weekly.example", "The Weekly", false),
        ],
        &own,
    )
}

const HEARD: History = History { written: false, heard_before: true };

fn found(header: &str) -> Vec<Fact> {
    let raw = format!("{header}\r\nTo: alice@alice.example\r\nSubject: Hello\r\n\r\nHello\r\n");
    facts(&message::parse(raw.as_bytes()), &circle(), HEARD)
}

fn like(fact: &Fact) -> Option<(&str, &str)> {
    match fact {
        Fact::LooksLike { domain, like } => Some((domain, like)),
        _ => None,
    }
}

#[test]
fn ordinary_mail_has_no_facts() {
    for header in [
        "From: Anna Meyer <anna@meyer.example>",
        "From: anna@meyer.example",
        "From: Anna <anna@elsewhere.example>",
        "From: Dora Lund <dora@lund.example>\r\nReply-To: office@mail.lund.example",
        "From: \"Lund, Dora\" <dora@lund.example>",
        "From: \"dora@lund.example\" <dora@lund.example>",
        "From: \"info@lund.example\" <noreply@mail.lund.example>",
        "From: =?utf-8?q?J=C3=B3zef?= <jozef@wp.example>",
        "From: Anna Meyer <a.meyer@mail.meyer.example>",
        "From: PayPal <service@paypal.de.example>",
        "From: Carol Marlow <cmarlow@gmail.com>",
        "From: Weekly <news@weekly.example>\r\nReply-To: list@lists.example\r\nList-Id: <weekly.example>",
        "From: Weekly <news@weekly.test>",
        "From: x@mail.com",
        "From: x@m\u{fc}ller.example",
    ] {
        assert_eq!(found(header), [], "{header}");
    }
}

#[test]
fn a_name_that_holds_another_address_is_told() {
    let named = |header: &str| match found(header).first() {
        Some(Fact::NameHoldsAddress { named, address }) => (named.clone(), address.clone()),
        other => panic!("{header}: {other:?}"),
    };
    for header in [
        "From: \"boss@bank.com\" <x@evil.example>",
        "From: =?utf-8?q?boss=40ban?= =?utf-8?q?k=2Ecom?= <x@evil.example>",
        "From: \"The Boss (boss@bank.com)\" <x@evil.example>",
        "From: \"boss\u{ff20}bank.com\" <x@evil.example>",
        "From: =?utf-8?b?Ym9zc0BiYW5rLmNvbQ==?= <x@evil.example>",
    ] {
        assert_eq!(named(header), ("boss@bank.com".into(), "x@evil.example".into()), "{header}");
    }
}

#[test]
fn what_cannot_be_seen_in_a_name_is_told() {
    for header in [
        "From: =?utf-8?q?boss=40bank=2Ecom=00?= <x@evil.example>",
        "From: =?utf-8?q?=E2=80=AEsobs?= <x@evil.example>",
        "From: =?utf-8?q?Bo=E2=80=8Bb?= <x@evil.example>",
        "From: =?utf-8?q?Bob=0A=0D?= <x@evil.example>",
    ] {
        assert!(found(header).contains(&Fact::NameHasHidden), "{header}: {:?}", found(header));
    }
    // Persian needs the mark that keeps letters apart.
    assert!(
        !found("From: =?utf-8?b?2YXbjOKAjNiu2YjYp9mH2YU=?= <x@ir.example>").contains(&Fact::NameHasHidden)
    );
}

#[test]
fn several_senders_or_none_are_told_alone() {
    assert_eq!(found("From: anna@meyer.example, x@evil.example"), [Fact::SeveralSenders(2)]);
    assert_eq!(found("From: anna@meyer.example\r\nFrom: x@evil.example"), [Fact::SeveralSenders(2)]);
    assert_eq!(found("From: Anna"), [Fact::NoSender]);
    assert_eq!(found("X-Other: 1"), [Fact::NoSender]);
}

#[test]
fn a_domain_that_looks_like_a_known_one_is_told() {
    for (address, domain, known) in [
        ("service@paypa1.com", "paypa1.com", "paypal.com"),
        ("x@rnodern.example", "rnodern.example", "modern.example"),
        ("x@mail.m0dern.example", "m0dern.example", "modern.example"),
        ("x@p\u{430}ypal.com", "xn--pypal-4ve.com", "paypal.com"),
        ("it@a1ice.example", "a1ice.example", "alice.example"),
        // One letter, a hyphen or the ending: only with the name or the place of somebody there.
        ("anna@meyers.example", "meyers.example", "meyer.example"),
        ("anna@mey-er.example", "mey-er.example", "meyer.example"),
        ("anna@meyer.test", "meyer.test", "meyer.example"),
    ] {
        let facts = found(&format!("From: X <{address}>"));
        assert_eq!(facts.first().and_then(like), Some((domain, known)), "{address}: {facts:?}");
    }
    for address in ["info@meyers.example", "x@meyer.test", "x@weekly.test", "x@modern.example"] {
        assert_eq!(found(&format!("From: X <{address}>")).iter().find_map(like), None, "{address}");
    }
}

#[test]
fn a_known_name_under_a_foreign_address_is_told() {
    for name in ["Anna Meyer", "Meyer, Anna", "ANNA MEYER", "\u{410}nna Meyer"] {
        let known = Fact::KnownElsewhere {
            name: message::parse(format!("From: \"{name}\" <x@y.example>\r\n\r\n").as_bytes()).from[0]
                .name
                .clone(),
            known: "anna@meyer.example".into(),
            address: "x@evil.example".into(),
        };
        assert_eq!(found(&format!("From: \"{name}\" <x@evil.example>")), [known], "{name}");
    }
    // On a list it is told once, and only where Alice is written to as well.
    let listed = "From: Anna Meyer <x@y.example>\r\nList-Id: <garden.example>";
    assert_eq!(found(listed), []);
    let raw = |to: &str| message::parse(format!("{listed}\r\nTo: {to}\r\n\r\nx").as_bytes());
    assert_eq!(facts(&raw("garden@y.example"), &circle(), History::default()), []);
    assert_eq!(facts(&raw("alice@alice.example"), &circle(), History::default()).len(), 1);
    // Another mailbox of a house that everybody uses.
    assert!(matches!(found("From: Carol Okafor <x@gmail.com>")[..], [Fact::KnownElsewhere { .. }]));
}

#[test]
fn an_answer_that_goes_elsewhere_is_told_but_for_lists() {
    let elsewhere = found("From: Dora <dora@lund.example>\r\nReply-To: x@evil.example");
    assert!(matches!(elsewhere[..], [Fact::ReplyElsewhere { .. }]), "{elsewhere:?}");
    for quiet in [
        "Reply-To: anna@meyer.example",
        "Reply-To: x@evil.example, dora@lund.example",
        "Reply-To: x@evil.example\r\nPrecedence: list",
        "Reply-To: x@evil.example\r\nList-Post: <mailto:x@evil.example>",
    ] {
        assert_eq!(found(&format!("From: Dora <dora@lund.example>\r\n{quiet}")), [], "{quiet}");
    }
}

#[test]
fn the_first_message_is_told_quietly_and_gives_the_standing() {
    let raw = message::parse(b"From: dora@lund.example\r\nTo: alice@alice.example\r\n\r\nHello\r\n");
    let first = facts(&raw, &circle(), History::default());
    assert_eq!(first, [Fact::First { address: "dora@lund.example".into() }]);
    assert!(!first[0].is_caution());
    assert_eq!(standing(&first, History::default()), SenderStanding::FirstTime);
    assert_eq!(standing(&[], HEARD), SenderStanding::Known);
    let imitated = found("From: Anna Meyer <x@evil.example>");
    assert_eq!(standing(&imitated, HEARD), SenderStanding::LookAlike);
}

#[test]
fn links_count_only_in_mail_to_one() {
    let links = [FalseLink { shown: "bank.com".into(), leads: "evil.example".into() }];
    let fact = |header: &str| link_fact(&message::parse(format!("{header}\r\n\r\nx").as_bytes()), &links);
    assert!(fact("From: x@y.example").is_some());
    assert_eq!(fact("From: x@y.example\r\nList-Unsubscribe: <mailto:a@b.org>"), None);
    assert_eq!(link_fact(&message::parse(b"From: a@b\r\n\r\n"), &[]), None);
}

proptest::proptest! {
    #[test]
    fn whatever_from_says_is_read_without_a_panic(from in ".{0,200}", reply in ".{0,80}") {
        let raw = format!("From: {from}\r\nReply-To: {reply}\r\n\r\nx");
        for fact in facts(&message::parse(raw.as_bytes()), &circle(), History::default()) {
            proptest::prop_assert!(!fact.sentence().is_empty());
        }
    }
}
