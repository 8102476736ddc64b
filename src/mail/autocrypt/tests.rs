//! Alice, Bob and Carol exchange keys: the tables and the worked example of Autocrypt Level 1, and the samples of others.

use proptest::prelude::*;

use super::*;
use crate::mail::message::{self, Message};

const DAY: i64 = 24 * 60 * 60;

#[test]
fn a_field_is_read_by_its_grammar_or_not_at_all() {
    let alice =
        |mutual| Ok(Header { address: "alice@example.org".into(), mutual, keydata: b"key!".to_vec() });
    let unknown = |name: &str| Err(Flaw::UnknownAttribute(name.into()));
    for (value, read) in [
        ("addr=alice@example.org; keydata=a2V5IQ==", alice(false)),
        ("addr=alice@example.org; prefer-encrypt=mutual; keydata=a2V5IQ==", alice(true)),
        (" keydata = a2V5IQ== ;addr = Alice@EXAMPLE.org; prefer-encrypt=mutual;", alice(true)),
        ("addr=alice@example.org; keydata=a2V\r\n 5I\r\n\tQ==", alice(false)),
        ("addr=alice@example.org; prefer-encrypt=nopreference; keydata=a2V5IQ==", alice(false)),
        ("addr=alice@example.org; prefer-encrypt=Mutual; keydata=a2V5IQ==", alice(false)),
        ("addr=alice@example.org; _monkey=x=y; _monkey=z; keydata=a2V5IQ==", alice(false)),
        ("addr=alice@example.org; type=1; keydata=a2V5IQ==", unknown("type")),
        ("addr=alice@example.org; Keydata=a2V5IQ==", unknown("Keydata")),
        ("addr=alice@example.org; keydata=a2V5IQ==; keydata=a2V5IQ==", Err(Flaw::Repeated("keydata".into()))),
        ("addr=alice@example.org; mutual; keydata=a2V5IQ==", Err(Flaw::NoValue)),
        ("keydata=a2V5IQ==", Err(Flaw::NoAddress)),
        ("addr=alice; keydata=a2V5IQ==", Err(Flaw::NoAddress)),
        ("addr=@example.org; keydata=a2V5IQ==", Err(Flaw::NoAddress)),
        ("addr=alice@example.org", Err(Flaw::NoKey)),
        ("addr=alice@example.org; keydata=", Err(Flaw::NoKey)),
        ("addr=alice@example.org; keydata=m!@#", Err(Flaw::NoKey)),
        ("", Err(Flaw::NoAddress)),
    ] {
        assert_eq!(Header::parse(value), read, "{value}");
    }
    let gossip = Gossip::parse("addr=bob@example.org; prefer-encrypt=mutual; keydata=a2V5IQ==").unwrap();
    assert_eq!((gossip.address.as_str(), gossip.keydata.as_slice()), ("bob@example.org", &b"key!"[..]));
}

#[test]
fn ten_kibibytes_are_the_end() {
    let of_length = |length: usize| {
        let start = "addr=alice@example.org; _pad=";
        let end = "; keydata=a2V5IQ==";
        let pad = "x".repeat(length - "Autocrypt: ".len() - start.len() - end.len());
        format!("{start}{pad}{end}")
    };
    assert!(Header::parse(&of_length(10 << 10)).is_ok());
    assert_eq!(Header::parse(&of_length((10 << 10) + 1)), Err(Flaw::TooLong));
    let with_key = |bytes: usize| {
        Header { address: "alice@example.org".into(), mutual: true, keydata: vec![7; bytes] }.to_field()
    };
    let longest = (1..9000).rev().find_map(with_key).unwrap();
    assert!(
        Header::parse(&longest).is_ok() && "Autocrypt: ".len() + longest.len() > 10_200,
        "{}",
        longest.len()
    );
    assert_eq!(with_key(9000), None);
}

#[test]
fn a_field_that_cannot_be_written_is_not_written() {
    for address in
        ["alice", "alice@example.org; type=1", "alice@example.org\r\nBcc: eve@example.org", "é@example.org"]
    {
        let header = Header { address: address.into(), mutual: false, keydata: vec![1] };
        assert_eq!(header.to_field(), None, "{address}");
    }
    assert_eq!(Header { address: "a@b".into(), mutual: false, keydata: vec![] }.to_field(), None);
}

#[test]
fn only_one_key_of_the_sender_counts() {
    let key = |address: &str, key: &str| format!("addr={address}; keydata={key}");
    let (one, other) = (key("alice@example.org", "AQ=="), key("alice@example.org", "Ag=="));
    let (bobs, newer) =
        (key("bob@example.org", "Aw=="), "addr=alice@example.org; v=2; keydata=AQ==".to_owned());
    for (fields, from, found) in [
        (vec![], "alice@example.org", None),
        (vec![one.clone()], "Alice@Example.org", Some(1)),
        (vec![one.clone()], "eve@example.org", None),
        (vec![one.clone()], "", None),
        (vec![one.clone(), other.clone()], "alice@example.org", None),
        (vec![one.clone(), one.clone()], "alice@example.org", None),
        (vec![bobs, newer, other.clone(), String::new()], "alice@example.org", Some(2)),
        // A key that cannot be read is none, and does not stand in the way of one that can.
        (vec![key("alice@example.org", "CQ=="), other], "alice@example.org", Some(2)),
    ] {
        let read = |keydata: &[u8]| keydata.first().copied().filter(|byte| *byte != 9);
        let got = sole(fields.iter().map(String::as_str), from, read).map(|(key, _)| key);
        assert_eq!(got, found, "{fields:?} {from}");
    }
}

#[test]
fn a_draft_remembers_what_was_decided() {
    for encrypt in [false, true] {
        for is_reply_to_encrypted in [false, true] {
            for by_choice in [false, true] {
                let state = DraftState { encrypt, is_reply_to_encrypted, by_choice };
                assert_eq!(DraftState::parse(&state.to_field()), Ok(state));
            }
        }
    }
    let read = DraftState::parse("encrypt=yes; _by-choice=perhaps; _new=1").unwrap();
    assert_eq!(read, DraftState { encrypt: true, ..DraftState::default() });
    for wrong in ["", "_by-choice=yes", "encrypt=maybe", "encrypt=yes; sign=yes"] {
        assert!(DraftState::parse(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(
        local in "[a-z0-9._+=-]{1,20}",
        mutual in any::<bool>(),
        keydata in proptest::collection::vec(any::<u8>(), 1..3000),
    ) {
        let header = Header { address: format!("{local}@example.org"), mutual, keydata };
        let value = header.to_field().unwrap();
        prop_assert!(value.split("\r\n").all(|line| line.len() <= 78));
        let raw = format!("From: <{}>\r\nAutocrypt: {value}\r\n\r\n", header.address);
        let message = message::parse(raw.as_bytes());
        let got = sole(fields(&message).iter().map(String::as_str), &header.address, |key| Some(key.to_vec()));
        prop_assert_eq!(got, Some((header.keydata.clone(), header.mutual)));
        let gossip = Gossip { address: header.address, keydata: header.keydata };
        prop_assert_eq!(Gossip::parse(&gossip.to_field().unwrap()), Ok(gossip));
    }

    #[test]
    fn any_order_of_delivery_ends_alike(
        dates in proptest::collection::btree_set(-5i64..100, 1..12),
        seeds in proptest::collection::vec(any::<(bool, bool)>(), 12),
        shuffle in any::<[u32; 12]>(),
    ) {
        let mail: Vec<(i64, Option<(i64, bool)>)> = dates
            .iter()
            .zip(&seeds)
            .map(|(date, (has_key, mutual))| (*date, has_key.then_some((*date, *mutual))))
            .collect();
        let mut shuffled: Vec<_> = mail.iter().zip(shuffle).collect();
        shuffled.sort_by_key(|(_, place)| *place);
        let after = |order: Vec<(i64, Option<(i64, bool)>)>| {
            order.into_iter().fold(Peer::default(), |peer, (date, header)| {
                let peer = Peer::take(Some(&peer), date, header);
                match header {
                    Some((key, _)) => Peer::take_gossip(Some(&peer), date, -key),
                    None => peer,
                }
            })
        };
        let by_date = after(mail.clone());
        prop_assert_eq!(&after(shuffled.into_iter().map(|(mail, _)| *mail).collect()), &by_date);
        let newest_key = mail.iter().filter(|(date, header)| *date >= 0 && header.is_some()).map(|(date, _)| *date).max();
        prop_assert_eq!(by_date.key, newest_key);
        prop_assert_eq!(by_date.last_seen, mail.iter().map(|(date, _)| *date).max().unwrap().max(0));
    }
}

#[test]
fn the_worked_example_comes_out() {
    let key = |name: &str, mutual| Some((name.to_owned(), mutual));
    let mut bob: Option<Peer> = None;
    for (day, header, last_seen, stamp, held, mutual, advice) in [
        (1, key("K1", true), 1, 1, "K1", true, Recommendation::Encrypt),
        (5, None, 5, 1, "K1", true, Recommendation::Encrypt),
        (3, key("K0", false), 5, 3, "K0", false, Recommendation::Available),
        (2, key("K9", true), 5, 3, "K0", false, Recommendation::Available),
        (38, None, 38, 3, "K0", false, Recommendation::Available),
        (40, None, 40, 3, "K0", false, Recommendation::Discourage),
        (41, key("K2", true), 41, 41, "K2", true, Recommendation::Encrypt),
        (41, key("K3", true), 41, 41, "K3", true, Recommendation::Encrypt),
    ] {
        let peer = Peer::take(bob.as_ref(), day * DAY, header);
        assert_eq!((peer.last_seen, peer.autocrypt_timestamp), (last_seen * DAY, stamp * DAY), "day {day}");
        assert_eq!((peer.key.as_deref(), peer.mutual), (Some(held), mutual), "day {day}");
        assert_eq!(one(Some(&peer), |_| true, true, false), (advice, Some(held.to_owned())), "day {day}");
        bob = Some(peer);
    }
}

#[test]
fn gossip_never_touches_the_key_that_was_sent() {
    let carol = Peer::take(None, 10, Some(("sent", true)));
    let carol = Peer::take_gossip(Some(&carol), 20, "told");
    let carol = Peer::take_gossip(Some(&carol), 15, "told before");
    assert_eq!((carol.key, carol.gossip_key, carol.gossip_timestamp), (Some("sent"), Some("told"), 20));
    assert_eq!((carol.last_seen, carol.autocrypt_timestamp), (10, 10), "others do not speak for her");
}

#[test]
fn each_row_of_the_recommendation_holds() {
    use Recommendation::{Available, Disable, Discourage, Encrypt};
    let peer = |key: Option<&'static str>, gossip: Option<&'static str>, silent: i64, mutual| Peer {
        last_seen: 100 * DAY,
        autocrypt_timestamp: 100 * DAY - silent,
        key,
        mutual,
        gossip_timestamp: 1,
        gossip_key: gossip,
    };
    let month = 35 * DAY;
    // Own wish, answering encrypted mail, what comes out, to which key.
    for (peer, own, answering, advice, key) in [
        (None, true, true, Disable, None),
        (Some(peer(None, None, 0, true)), true, true, Disable, None),
        (Some(peer(None, Some("told"), 0, true)), true, false, Discourage, Some("told")),
        (Some(peer(None, Some("told"), 0, false)), false, true, Encrypt, Some("told")),
        (Some(peer(Some("sent"), Some("told"), month + 1, true)), true, false, Discourage, Some("sent")),
        (Some(peer(Some("sent"), None, month + 1, true)), true, true, Encrypt, Some("sent")),
        (Some(peer(Some("sent"), None, month, true)), true, false, Encrypt, Some("sent")),
        (Some(peer(Some("sent"), None, 0, true)), false, false, Available, Some("sent")),
        (Some(peer(Some("sent"), None, 0, false)), true, false, Available, Some("sent")),
        (Some(peer(Some("sent"), None, 0, false)), false, true, Encrypt, Some("sent")),
        (Some(peer(Some("revoked"), Some("told"), 0, true)), true, false, Discourage, Some("told")),
        (Some(peer(Some("revoked"), Some("revoked"), 0, true)), true, true, Disable, None),
        (Some(peer(Some("revoked"), None, 0, true)), true, true, Disable, None),
    ] {
        let given = one(peer.as_ref(), |key| *key != "revoked", own, answering);
        assert_eq!(given, (advice, key), "{peer:?} {own} {answering}");
    }
}

#[test]
fn the_least_advisable_recipient_decides() {
    use Recommendation::{Available, Disable, Discourage, Encrypt};
    let every = [Disable, Discourage, Available, Encrypt];
    for (one, other, both) in [
        (Encrypt, Encrypt, Encrypt),
        (Encrypt, Available, Available),
        (Encrypt, Discourage, Discourage),
        (Available, Available, Available),
        (Available, Discourage, Discourage),
        (Discourage, Discourage, Discourage),
    ] {
        assert_eq!(all([one, other]), both);
        assert_eq!(all([other, one]), both);
    }
    for any in every {
        assert_eq!(all([any, Disable]), Disable);
        assert_eq!(all([any]), any);
    }
    assert_eq!(all([]), Disable);
    assert_eq!(every.map(Recommendation::as_str), ["disable", "discourage", "available", "encrypt"]);
}

#[test]
fn programs_reports_and_crowds_change_nothing() {
    for (header, outcome) in [
        ("From: a@x", Ok(())),
        ("From: a@x\nAuto-Submitted: no", Ok(())),
        ("From: a@x\nAuto-Submitted: Auto-Replied; owner=a", Err(Reason::Automatic)),
        ("From: a@x\nAuto-Submitted: auto-generated (by cron)", Err(Reason::Automatic)),
        ("From: a@x\nAuto-Submitted: no\nAuto-Submitted: auto-replied", Err(Reason::Automatic)),
        ("From: a@x\nContent-Type: multipart/report; boundary=b", Err(Reason::Report)),
        ("From: a@x, b@x", Err(Reason::SeveralSenders)),
        ("From: a@x\nFrom: b@x", Err(Reason::SeveralSenders)),
        ("From: nobody", Err(Reason::NoSender)),
        ("Subject: Tea", Err(Reason::NoSender)),
        ("From: a@x\nAutocrypt-Setup-Message: v1", Err(Reason::Own)),
        ("From: a@x\nAutocrypt-Draft-State: encrypt=no", Err(Reason::Own)),
    ] {
        assert_eq!(changes_peers(&message::parse(format!("{header}\n\nHi").as_bytes())), outcome, "{header}");
    }
}

fn fields(message: &Message) -> Vec<String> {
    let mine = message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(Header::NAME));
    mine.map(|(_, value)| value.clone()).collect()
}

#[test]
fn the_samples_of_others_are_read_as_they_say() {
    let Some(corpora) = std::env::var_os("MAILKEEP_CORPORA").map(std::path::PathBuf::from) else {
        eprintln!("not run: MAILKEEP_CORPORA names no folder of mail");
        return;
    };
    // The file, whether a key is found, and whether it may change a peer.
    for (file, has_key, counts) in [
        ("muacrypt/test_muacrypt/data/25519-simple.eml", true, true),
        ("muacrypt/test_muacrypt/data/rsa2048-simple.eml", true, true),
        ("muacrypt/test_muacrypt/data/rsa2048-simple-casing.eml", true, true),
        ("muacrypt/test_muacrypt/data/rsa2048-simple-to-bot.eml", true, true),
        ("muacrypt/test_muacrypt/data/rsa4096-simple.eml", true, true),
        ("muacrypt/test_muacrypt/data/rsa2048-unknown-non-critical.eml", true, true),
        ("muacrypt/test_muacrypt/data/rsa2048-unknown-critical.eml", false, true),
        ("muacrypt/test_muacrypt/data/rsa2048-explicit-type.eml", false, true),
        ("muacrypt/test_muacrypt/data/unknown-type.eml", false, true),
        ("muacrypt/test_muacrypt/data/rsa2048-broken-base64.eml", false, true),
        ("muacrypt/test_muacrypt/data/rsa2048-from-not-match.eml", false, true),
        ("muacrypt/test_muacrypt/data/no-autocrypt.eml", false, true),
        ("muacrypt/test_muacrypt/data/multipart_report.eml", false, false),
        ("autocrypt-spec/doc/appendix/example-simple-autocrypt.eml", true, true),
        ("autocrypt-spec/doc/appendix/example-gossip.eml", true, true),
        ("autocrypt-spec/doc/appendix/example-setup-message.eml", false, false),
        ("autocrypt-spec/doc/appendix/example-draft.eml", false, false),
    ] {
        let message = message::parse(&std::fs::read(corpora.join("pgp").join(file)).unwrap());
        let from = message.from.first().map_or("", |person| person.address.as_str());
        let got = sole(fields(&message).iter().map(String::as_str), from, |_| Some(()));
        assert_eq!(got.is_some(), has_key, "{file}");
        assert_eq!(changes_peers(&message).is_ok(), counts, "{file}");
    }
    let gossip =
        std::fs::read(corpora.join("pgp/autocrypt-spec/doc/appendix/example-gossip-cleartext.eml")).unwrap();
    let told: Vec<String> = message::parse(&gossip)
        .headers
        .iter()
        .filter(|(name, _)| name == Gossip::NAME)
        .map(|(_, value)| Gossip::parse(value).unwrap().address)
        .collect();
    assert_eq!(told, ["bob@autocrypt.example", "carol@autocrypt.example"]);
}
