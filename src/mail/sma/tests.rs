//! Alice's laptop and her server write to each other: what is written is read again, and nothing else is.

use super::body::NAME_MAX;
use super::*;
use crate::mail::autocrypt::Peer;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const ALICE: &str = "alice@example.org";

fn id() -> impl Strategy<Value = DeviceId> {
    any::<[u8; 8]>().prop_map(DeviceId::from_random)
}

fn keys() -> impl Strategy<Value = Keys> {
    any::<([u8; 32], [u8; 32])>().prop_map(|(signing, agreement)| Keys { signing, agreement })
}

fn signature() -> impl Strategy<Value = [u8; 64]> {
    any::<([u8; 32], [u8; 32])>()
        .prop_map(|(a, b)| std::array::from_fn(|i| if i < 32 { a[i] } else { b[i - 32] }))
}

fn one_time() -> impl Strategy<Value = OneTimeKey> {
    (any::<[u8; 32]>(), signature()).prop_map(|(key, signature)| OneTimeKey { key, signature })
}

fn time() -> impl Strategy<Value = i64> {
    0..1_i64 << 52
}

fn name() -> impl Strategy<Value = String> {
    "[^\\p{C}]{0,20}"
}

fn fingerprint() -> impl Strategy<Value = String> {
    "([0-9A-F]{40}|[0-9A-F]{64})"
}

fn address() -> impl Strategy<Value = String> {
    "[a-z0-9.+]{1,20}@[a-z0-9]{1,20}\\.example"
}

fn statement() -> impl Strategy<Value = Statement> {
    let deed = option::of((keys(), name()))
        .prop_map(|add| add.map_or(Deed::Remove, |(keys, name)| Deed::Add { keys, name }));
    (
        address(),
        id(),
        deed,
        id(),
        time(),
        proptest::collection::btree_set(any::<[u8; 32]>(), 0..16),
        signature(),
    )
        .prop_map(|(account, device, deed, author, at, seen, signature)| Statement {
            account,
            device,
            deed,
            author,
            at,
            seen: seen.into_iter().collect(),
            signature,
        })
}

fn body() -> impl Strategy<Value = Body> {
    let bytes = any::<[u8; 32]>;
    prop_oneof![
        (keys(), one_time(), name()).prop_map(|(keys, fallback, program)| Body::Announce(Announce {
            keys,
            fallback,
            program
        })),
        (keys(), bytes(), name(), option::of(bytes())).prop_map(|(keys, commitment, name, proof)| {
            Body::Request(Request { keys, commitment, name, proof })
        }),
        (keys(), bytes(), bytes()).prop_map(|(keys, ephemeral, request)| Body::Accept(Accept {
            keys,
            ephemeral,
            request
        })),
        (bytes(), bytes(), bytes()).prop_map(|(ephemeral, nonce, accept)| Body::Reveal(Reveal {
            ephemeral,
            nonce,
            accept
        })),
        (bytes(), option::of(one_time())).prop_map(|(mac, one_time)| Body::Mac(Mac { mac, one_time })),
        (bytes(), prop::sample::select(&Cancel::ALL[..]))
            .prop_map(|(signing, why)| Body::Cancel { why, signing }),
        (any::<bool>(), vec(any::<u8>(), 0..2000))
            .prop_map(|(begins, olm)| Body::Update(Sealed { begins, olm })),
        one_time().prop_map(Body::Reset),
        statement().prop_map(|statement| Body::Removed(Statement { deed: Deed::Remove, ..statement })),
    ]
}

fn payload() -> impl Strategy<Value = Payload> {
    (
        address(),
        id(),
        id(),
        0..1_u64 << 50,
        0..1_i64 << 40,
        1..366_i64 * 24 * 3600,
        option::of(any::<[u8; 32]>()),
        body(),
    )
        .prop_filter("nobody writes to itself", |it| it.1 != it.2)
        .prop_map(|(account, from, to, seq, created, lasts, roster, body)| Payload {
            account,
            from,
            to: (!body.kind().is_for_all()).then_some(to),
            seq,
            created,
            expires: created + lasts,
            roster,
            body,
        })
}

fn peer() -> impl Strategy<Value = Peer> {
    (time(), time(), option::of(fingerprint()), any::<bool>(), time(), option::of(fingerprint())).prop_map(
        |(last_seen, autocrypt_timestamp, key, mutual, gossip_timestamp, gossip_key)| Peer {
            last_seen,
            autocrypt_timestamp,
            key,
            mutual,
            gossip_timestamp,
            gossip_key,
        },
    )
}

/// Few values, so that ties are common.
fn trust() -> impl Strategy<Value = Trust> {
    let key = || prop_oneof![Just("A".repeat(40)), Just("B".repeat(40)), Just("C".repeat(40))];
    (option::of(key()), 0_i64..3, 0_i64..3, option::of(key()), 0_i64..3, 0_u32..3).prop_map(
        |(pinned, pinned_at, verified_at, refused, decided_at, changes)| Trust {
            pinned,
            pinned_at,
            verified_at,
            refused: refused.unwrap_or_default(),
            decided_at,
            changes,
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        statement().prop_map(Entry::Statement),
        (fingerprint(), vec(any::<u8>(), 0..500))
            .prop_map(|(fingerprint, bytes)| Entry::Certificate { fingerprint, bytes }),
        (fingerprint(), address(), vec(any::<u8>(), 0..500), "[ -~\n]{0,80}", time(), any::<bool>())
            .prop_map(|(fingerprint, address, secret, revocation, made_at, current)| Entry::OwnKey(OwnKey {
                fingerprint,
                address,
                secret,
                revocation,
                made_at,
                current
            })),
        (address(), any::<bool>(), time(), id()).prop_map(|(address, mutual, at, device)| Entry::Preference(
            Preference { address, mutual, at, device }
        )),
        (address(), peer(), trust()).prop_map(|(address, state, trust)| Entry::Peer(PeerState {
            address,
            state,
            trust
        })),
        (name(), "([^\\p{C}]|\n|\t){0,40}", time(), id())
            .prop_map(|(name, value, at, device)| Entry::Shared(Shared { name, value, at, device })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_read_again(payload in payload(), signature in signature(), random: [u8; 16]) {
        let bytes = payload.to_bytes();
        prop_assert_eq!(&Payload::parse(&bytes).unwrap(), &payload);
        let signed = Signed { payload: bytes, signature };
        prop_assert_eq!(&Signed::parse(&signed.to_bytes()).unwrap(), &signed);
        let letter = Letter { marker: Marker { kind: payload.kind() }, signed };
        let (message_id, raw) = letter.write(ALICE, random, 1_700_000_000);
        prop_assert!(raw.len() <= LETTER_MAX);
        prop_assert!(message_id.ends_with("@sma.invalid"));
        prop_assert_eq!(Letter::read(&raw).unwrap(), letter);
    }

    #[test]
    fn contents_are_read_again(heard in 0..1_u64 << 50, missed: bool, after in 0..1_u64 << 50, entries in vec(entry(), 0..8)) {
        let contents = Contents { heard, missed, after, entries, passed_over: 0 };
        prop_assert_eq!(Contents::parse(&contents.to_bytes()).unwrap(), contents);
    }

    /// Two different payloads are never the same bytes, and one byte less or more is no payload.
    #[test]
    fn a_payload_has_one_form(payload in payload(), at: prop::sample::Index, byte: u8) {
        let bytes = payload.to_bytes();
        prop_assert_eq!(Payload::parse(&bytes[..bytes.len() - 1]), Err(Flaw::Cut));
        prop_assert!(Payload::parse(&[&bytes[..], &[byte]].concat()).is_err());
        let mut altered = bytes.clone();
        altered[at.index(bytes.len())] ^= byte;
        if let Ok(read) = Payload::parse(&altered) {
            prop_assert_eq!(read.to_bytes(), altered);
        }
    }

    #[test]
    fn anything_may_come(bytes in vec(any::<u8>(), 0..400), text in ".{0,200}") {
        let _ = (Payload::parse(&bytes), Signed::parse(&bytes), Statement::parse(&bytes), Contents::parse(&bytes));
        let _ = (Entry::parse(&bytes), Letter::read(&bytes), Letter::read(text.as_bytes()), Marker::parse(&text));
        for kind in Kind::ALL {
            if let Ok(body) = Body::parse(kind, &bytes) {
                prop_assert_eq!(body.to_bytes(), &bytes[..]);
            }
        }
        if let Ok(id) = text.parse::<DeviceId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    /// Whichever device merges first: both end with the same.
    #[test]
    fn merging_peers_is_the_same_in_any_order(a in peer(), b in peer(), c in peer()) {
        prop_assert_eq!(merged_peer(&a, &b), merged_peer(&b, &a));
        prop_assert_eq!(merged_peer(&merged_peer(&a, &b), &c), merged_peer(&a, &merged_peer(&b, &c)));
        prop_assert_eq!(merged_peer(&a, &a), a.clone());
        let both = merged_peer(&a, &b);
        prop_assert_eq!(merged_peer(&both, &b), both);
    }

    #[test]
    fn merging_trust_is_the_same_in_any_order(a in trust(), b in trust(), c in trust()) {
        let merge = |x: &Trust, y: &Trust| merged_trust(x, y).clone();
        prop_assert_eq!(merge(&a, &b), merge(&b, &a));
        prop_assert_eq!(merge(&a, &a), a.clone());
        prop_assert_eq!(merge(&merge(&a, &b), &c), merge(&a, &merge(&b, &c)));
    }
}

#[test]
fn a_person_outweighs_what_came_by_itself() {
    let key = |letter: &str| Some(letter.repeat(40));
    let met = Trust { pinned: key("A"), pinned_at: 50, verified_at: 50, decided_at: 50, ..Trust::default() };
    let first = Trust { pinned: key("C"), pinned_at: 10, ..Trust::default() };
    let came = Trust { pinned: key("B"), pinned_at: 90, ..Trust::default() };
    let followed = Trust { refused: "C".repeat(40), changes: 1, ..came.clone() };
    let again =
        Trust { pinned: key("D"), pinned_at: 92, refused: "B".repeat(40), changes: 2, ..Trust::default() };
    let after = Trust { pinned: key("D"), pinned_at: 99, refused: "A".repeat(40), changes: 1, ..met.clone() };
    let later = Trust { pinned: key("B"), pinned_at: 95, decided_at: 95, ..Trust::default() };
    assert_eq!(merged_trust(&met, &followed), &met, "a meeting outweighs a newer key");
    assert_eq!(merged_trust(&came, &first), &first, "the first one seen stays");
    assert_eq!(merged_trust(&followed, &first), &followed, "unless one device saw the other take its place");
    assert_eq!(merged_trust(&first, &again), &again, "also where it was away for two changes");
    assert_eq!(merged_trust(&met, &after), &after, "also after a meeting, of which both know");
    assert_eq!(merged_trust(&met, &later), &later, "the owner decided anew");
    assert_eq!(merged_trust(&Trust::default(), &first), &first, "a key outweighs none");
}

#[test]
fn folders_are_known_by_their_names() {
    let inbox = |text: &str| Some(FolderKind::Inbox(text.parse().unwrap()));
    for (name, delimiter, is) in [
        ("_Autocrypt_SMA", None, Some(FolderKind::Announcements)),
        ("_Autocrypt_SMA", Some('/'), Some(FolderKind::Announcements)),
        ("_Autocrypt_SMA_27", Some('.'), inbox("27")),
        ("_Autocrypt_SMA_4812330175", Some('.'), inbox("4812330175")),
        ("INBOX._Autocrypt_SMA_1", Some('.'), inbox("1")),
        ("Inbox/_Autocrypt_SMA", Some('/'), Some(FolderKind::Announcements)),
        ("INBOX._Autocrypt_SMA_1", Some('/'), None),
        ("Projects/_Autocrypt_SMA", Some('/'), None),
        ("_Autocrypt_SMA_", Some('/'), None),
        ("_Autocrypt_SMA_027", Some('/'), None),
        ("_Autocrypt_SMA_12345678901234567890", Some('/'), None),
        ("_Autocrypt_SMA_1/2", Some('/'), None),
        ("_Autocrypt_SMAll", Some('/'), None),
        ("_autocrypt_sma", Some('/'), None),
    ] {
        assert_eq!(FolderKind::of(name, delimiter), is, "{name}");
    }
    let device = DeviceId::from_random([255; 8]);
    assert_eq!(device.to_string().len(), 10);
    assert_eq!(FolderKind::of(&device.inbox(), None), Some(FolderKind::Inbox(device)));
}

#[test]
fn the_marker_is_read_by_its_grammar() {
    let announce = Ok(Marker { kind: Kind::Announce });
    for (value, read) in [
        ("v=1; type=announce", announce),
        (" type = announce ;v=1; ", announce),
        ("v=1; type=announce; _later=x", announce),
        ("v=2; type=announce", Err(Flaw::Version)),
        ("v=1", Err(Flaw::Value("marker"))),
        ("type=announce", Err(Flaw::Value("marker"))),
        ("v=1; type=announce; type=update", Err(Flaw::Value("marker"))),
        ("v=1; type=announce; more=x", Err(Flaw::Value("marker"))),
        ("v=1; type=party", Err(Flaw::Value("type"))),
        ("v=1; announce", Err(Flaw::Value("marker"))),
        ("", Err(Flaw::Value("marker"))),
    ] {
        assert_eq!(Marker::parse(value), read, "{value}");
    }
    for kind in Kind::ALL {
        assert_eq!(Marker::parse(&Marker { kind }.to_field()), Ok(Marker { kind }));
    }
}

fn simple(body: Body) -> Payload {
    let device = |text: &str| text.parse().unwrap();
    Payload {
        account: ALICE.into(),
        from: device("1"),
        to: (!body.kind().is_for_all()).then(|| device("27")),
        seq: 1,
        created: 1_700_000_000,
        expires: 1_700_003_600,
        roster: None,
        body,
    }
}

#[test]
fn a_payload_that_makes_no_sense_is_none() {
    let good = simple(Body::Reset(OneTimeKey { key: [1; 32], signature: [2; 64] }));
    assert!(Payload::parse(&good.to_bytes()).is_ok());
    for (wrong, why) in [
        (Payload { account: "Alice@Example.org".into(), ..good.clone() }, "address"),
        (Payload { account: "alice".into(), ..good.clone() }, "address"),
        (Payload { expires: good.created, ..good.clone() }, "expires"),
        (Payload { expires: good.created + 400 * 24 * 3600, ..good.clone() }, "expires"),
        (Payload { to: None, ..good.clone() }, "to"),
        (Payload { to: Some(good.from), ..good.clone() }, "to"),
        (Payload { seq: 1 << 60, ..good.clone() }, "seq"),
    ] {
        assert_eq!(Payload::parse(&wrong.to_bytes()), Err(Flaw::Value(why)), "{wrong:?}");
    }
}

#[test]
fn everything_has_an_end() {
    let keys = Keys { signing: [1; 32], agreement: [2; 32] };
    let request = |name: String| Body::Request(Request { keys, commitment: [0; 32], name, proof: None });
    let read = |body: Body| Payload::parse(&simple(body).to_bytes());
    assert!(read(request("x".repeat(NAME_MAX))).is_ok());
    assert_eq!(read(request("x".repeat(NAME_MAX + 1))), Err(Flaw::TooLong));
    assert_eq!(read(request("two\nlines".into())), Err(Flaw::Value("name")));
    let largest = Body::Update(Sealed { begins: true, olm: vec![7; CONTENTS_MAX + 4096] });
    let signed = Signed { payload: simple(largest).to_bytes(), signature: [0; 64] };
    let letter = Letter { marker: Marker { kind: Kind::Update }, signed };
    let (_, raw) = letter.write(ALICE, [0; 16], 0);
    assert!(raw.len() <= LETTER_MAX, "what Olm makes of the largest contents fits: {}", raw.len());
    assert_eq!(Letter::read(&raw), Ok(letter));
    assert_eq!(Letter::read(&[&raw[..], &[b'x'; LETTER_MAX][..]].concat()), Err(Flaw::TooLong));
    // A length that promises more than there is costs nothing.
    assert_eq!(Contents::parse(&[255, 255, 255, 255]), Err(Flaw::Version));
}

#[test]
fn entries_of_later_versions_and_those_that_make_no_sense_are_passed_over() {
    let later = Writer::new("tag").text("holidays").done();
    // Somebody outside can bring about a key that is longer than a reader takes.
    let long = Entry::Certificate { fingerprint: "B".repeat(40), bytes: vec![1; 70_000] };
    let known = Entry::Certificate { fingerprint: "A".repeat(40), bytes: vec![1] };
    let bytes = Writer::new("autocrypt-sma/1 contents")
        .number(3)
        .flag(false)
        .number(2)
        .list(&[later, long.to_bytes(), known.to_bytes()], Clone::clone)
        .done();
    assert_eq!(
        Contents::parse(&bytes),
        Ok(Contents { heard: 3, missed: false, after: 2, entries: vec![known], passed_over: 2 })
    );
}
