//! Signatures of mail (DKIM): which count and which do not, and keys that come through Tor or not at all.

use crate::support::mail::with_headers;
use crate::support::onion::{Onion, Question};
use crate::support::signing::Signer;
use crate::support::{Lab, World, wait_for, wait_until};
use hickory_proto::op::{Message as Dns, MessageType, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{RData, Record};
use mailkeep::mail::authentication::dkim::{Flaw, signatures, verify};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const NOW: i64 = 1_772_500_000;
const USUAL: &str = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=bob.example; s=k1; h=from:to:subject:date";

fn letter() -> Vec<u8> {
    with_headers("Bob <bob@bob.example>", "alice@lab.test", "seeds", "", "Have you any seeds left over?")
}

/// What becomes of the first signature of a message with a key record.
fn judged(raw: &[u8], record: &str) -> Result<bool, Flaw> {
    let found = signatures(raw, Some("bob.example"), NOW);
    let first = found.first().expect("a signature");
    first.flaw.map_or(Ok(()), Err)?;
    verify(raw, first.place, record.as_bytes(), NOW).map(|()| first.aligned)
}

#[test]
fn a_sound_signature_holds() {
    let usual = Signer::usual();
    let ways = [
        USUAL.to_owned(),
        USUAL.replace("relaxed/relaxed", "simple/simple"),
        USUAL.replace("d=bob.example", "d=mail.bob.example"),
        format!("{USUAL}; t=1; x=1900000000"),
        format!("{USUAL}; i=bob@news.bob.example"),
        USUAL.replace("h=from", "h=from:from:subject"),
    ];
    for tags in ways {
        assert_eq!(judged(&usual.sign(&tags, &letter()), &usual.record), Ok(true), "{tags}");
    }
    let modern = Signer::ed25519();
    let signed = modern.sign(&USUAL.replace("rsa-sha256", "ed25519-sha256"), &letter());
    assert_eq!(judged(&signed, &modern.record), Ok(true));
    // Folded and spaced as servers do on the way.
    let folded = String::from_utf8(usual.sign(USUAL, &letter())).unwrap();
    let folded = folded.replace("; d=", ";\r\n\td=").replace("Subject: seeds", "SUBJECT:  seeds ");
    assert_eq!(judged(folded.as_bytes(), &usual.record), Ok(true));
}

#[test]
fn what_is_no_proof_is_none() {
    let usual = Signer::usual();
    let signed = |tags: &str| usual.sign(tags, &letter());
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8(signed(USUAL)).unwrap();
        assert!(text.contains(from));
        text.replacen(from, to, 1).into_bytes()
    };
    let record = usual.record.as_str();
    let cases: Vec<(&str, Vec<u8>, &str, Flaw)> = vec![
        ("l=0", signed(&format!("{USUAL}; l=0")), record, Flaw::Partial),
        ("l=5", signed(&format!("{USUAL}; l=5")), record, Flaw::Partial),
        ("no From", signed(&USUAL.replace("h=from:", "h=")), record, Flaw::WithoutFrom),
        ("expired", signed(&format!("{USUAL}; x=1700000000")), record, Flaw::Expired),
        ("SHA-1", signed(&USUAL.replace("sha256", "sha1")), record, Flaw::WeakHash),
        ("another's identity", signed(&format!("{USUAL}; i=@eve.example")), record, Flaw::Identity),
        ("body", changed("seeds left", "weeds left"), record, Flaw::Body),
        ("header", changed("Subject: seeds", "Subject: weeds"), record, Flaw::Header),
        ("from", changed("Bob <bob@", "Eve <bob@"), record, Flaw::Header),
        ("added", changed("Subject: seeds", "Subject: hello\r\nSubject: seeds"), record, Flaw::Added),
        ("revoked", signed(USUAL), "v=DKIM1; p=", Flaw::Revoked),
        ("no key", signed(USUAL), "v=spf1 -all", Flaw::BadKey),
        ("for SHA-1 only", signed(USUAL), &record.replace("v=DKIM1;", "v=DKIM1; h=sha1;"), Flaw::BadKey),
        ("version", signed(&USUAL.replace("v=1", "v=2")), record, Flaw::Unreadable),
    ]
    .into_iter()
    .map(|(name, raw, record, flaw)| (name, raw, Box::leak(record.to_owned().into_boxed_str()) as &str, flaw))
    .collect();
    for (name, raw, record, flaw) in cases {
        let found = signatures(&raw, Some("bob.example"), NOW);
        if found.is_empty() {
            assert_eq!(flaw, Flaw::Unreadable, "{name}");
            continue;
        }
        assert_eq!(judged(&raw, record), Err(flaw), "{name}");
    }
    let short = Signer::short();
    assert_eq!(judged(&short.sign(USUAL, &letter()), &short.record), Err(Flaw::ShortKey));
    let modern = Signer::ed25519();
    assert_eq!(judged(&signed(USUAL), &modern.record), Err(Flaw::Header), "a key of another kind");
    let strict = usual.record.replace("v=DKIM1;", "v=DKIM1; t=s;");
    assert_eq!(judged(&signed(&format!("{USUAL}; i=bob@news.bob.example")), &strict), Err(Flaw::Identity));
}

#[test]
fn a_signature_speaks_for_its_own_house_only() {
    let usual = Signer::usual();
    let aligned =
        |tags: &str, from: Option<&str>| signatures(&usual.sign(tags, &letter()), from, NOW)[0].aligned;
    assert!(aligned(USUAL, Some("news.bob.example")));
    assert!(!aligned(&USUAL.replace("bob.example", "mailer.example"), Some("bob.example")));
    assert!(!aligned(&USUAL.replace("bob.example", "co.uk"), Some("bob.co.uk")));
    // Several From, or none: nobody's house.
    assert!(!aligned(USUAL, None));
}

#[test]
fn the_way_out_of_a_list_must_be_covered_once() {
    let usual = Signer::usual();
    let fields = "List-Unsubscribe: <https://leave.bob.example/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";
    let raw = with_headers("bob@bob.example", "alice@lab.test", "news", fields, "x");
    let both = format!("{USUAL}:list-unsubscribe:list-unsubscribe-post");
    let covers = |raw: &[u8]| signatures(raw, None, NOW)[0].covers_leaving;
    assert!(covers(&usual.sign(&both, &raw)));
    assert!(!covers(&usual.sign(USUAL, &raw)));
    assert!(!covers(&usual.sign(&format!("{USUAL}:list-unsubscribe"), &raw)));
    let twice =
        [b"List-Unsubscribe: <https://eve.example/1>\r\n", usual.sign(&both, &raw).as_slice()].concat();
    assert!(!covers(&twice));
}

#[test]
fn hostile_signatures_are_judged_without_a_panic() {
    let usual = Signer::usual();
    let signed = usual.sign(USUAL, &letter());
    for at in (0..signed.len()).step_by(3) {
        for byte in [0, b';', b'=', b':', 0xff] {
            let mut raw = signed.clone();
            raw[at] = byte;
            for found in signatures(&raw, Some("bob.example"), NOW) {
                assert_ne!(verify(&raw, found.place, usual.record.as_bytes(), 0), Err(Flaw::NoKey));
            }
        }
    }
    let long = format!("DKIM-Signature: v=1; h={}\r\nFrom: a@b\r\n\r\nx", "from:".repeat(100_000));
    assert_eq!(signatures(long.as_bytes(), None, NOW), []);
    let many = [b"DKIM-Signature: v=1\r\n".repeat(100_000), b"From: a@b\r\n\r\nx".to_vec()].concat();
    assert_eq!(signatures(&many, None, NOW), []);
    for raw in [&b""[..], b"\r\n\r\n", b"DKIM-Signature:", b"From: a@b"] {
        assert_eq!(signatures(raw, None, NOW), []);
    }
}

/// Key records by name; what is not there does not exist. `None` is trouble of the resolver.
type Zone = Arc<Mutex<HashMap<String, Option<String>>>>;

fn resolver(zone: &Zone, question: &Question) -> (String, Vec<u8>) {
    assert!(question.head[0].starts_with("POST /dns-query "), "{:?}", question.head);
    let mut dns = Dns::from_vec(&question.body).unwrap();
    assert_eq!(dns.metadata.id, 0);
    let name = dns.queries[0].name().clone();
    dns.metadata.message_type = MessageType::Response;
    dns.metadata.authentic_data = true;
    match zone.lock().unwrap().get(name.to_ascii().trim_end_matches('.')) {
        Some(Some(text)) => {
            let pieces =
                text.as_bytes().chunks(200).map(|p| String::from_utf8(p.to_vec()).unwrap()).collect();
            dns.answers = vec![Record::from_rdata(name, 300, RData::TXT(TXT::new(pieces)))];
        }
        Some(None) => dns.metadata.response_code = ResponseCode::ServFail,
        None => dns.metadata.response_code = ResponseCode::NXDomain,
    }
    ("HTTP/1.1 200 OK\r\nContent-Type: application/dns-message".into(), dns.to_vec().unwrap())
}

/// Behind the proxy: a resolver, and a server where lists are left.
fn internet(zone: &Zone, status: &'static str) -> Onion {
    let zone = Arc::clone(zone);
    let rule = move |question: &Question| match question.host.as_str() {
        "dns.example.net" => resolver(&zone, question),
        _ => (format!("HTTP/1.1 {status}\r\nLocation: https://eve.example/"), Vec::new()),
    };
    Onion::begin(&["dns.example.net", "leave.bob.example"], Box::new(rule))
}

fn trust(world: &World, onion: &Onion) {
    world.ok(&["config", "set", "extra-ca", &world.file("ca.pem", &onion.ca_pem)]);
    world.ok(&["config", "set", "dkim.resolver", "https://dns.example.net/dns-query"]);
}

fn use_tor(world: &World, onion: &Onion) {
    world.ok(&["config", "set", "tor.socks", &format!("127.0.0.1:{}", onion.port)]);
    world.ok(&["config", "set", "tor.mode", "socks"]);
}

fn dkim(world: &World, subject: &str) -> Value {
    world.ok(&["show", &world.only(&format!("subject:{subject}"))])["authentication"]["dkim"].clone()
}

fn settled(world: &World, subject: &str) -> Value {
    wait_for("a verdict", || Some(dkim(world, subject)).filter(|dkim| dkim["result"] != "waiting"))
}

#[test]
fn new_mail_is_checked_by_tor_and_the_verdict_outlives_the_key() {
    let usual = Signer::usual();
    let zone = Zone::default();
    let key = |name: &str, record: &str| zone.lock().unwrap().insert(name.into(), Some(record.into()));
    key("k1._domainkey.bob.example", &usual.record);
    key("k1._domainkey.mailer.example", &usual.record);
    zone.lock().unwrap().insert("k1._domainkey.slow.example".into(), None);
    let onion = internet(&zone, "404 Not Found");
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    world.ok(&["config", "set", "tor.mode", "off"]);
    trust(&world, &onion);
    let server = world.serve();
    let mut imap = lab.imap(&alice);
    let signed = |from: &str, domain: &str, subject: &str| {
        usual.sign(
            &USUAL.replace("bob.example", domain),
            &with_headers(from, "alice@lab.test", subject, "", "x"),
        )
    };
    imap.append("INBOX", "", &signed("bob@bob.example", "bob.example", "first"));
    imap.append("INBOX", "", &signed("bob@bob.example", "bob.example", "second"));
    imap.append("INBOX", "", &signed("bob@bob.example", "mailer.example", "mailed"));
    imap.append("INBOX", "", &signed("dora@gone.example", "gone.example", "keyless"));
    imap.append("INBOX", "", &signed("dora@slow.example", "slow.example", "stuck"));
    imap.append("INBOX", "", &signed("a@bob.example, b@bob.example", "bob.example", "several"));
    let forged = String::from_utf8(signed("bob@bob.example", "bob.example", "forged")).unwrap();
    imap.append("INBOX", "", forged.replace("\r\n\r\nx", "\r\n\r\nPay!").as_bytes());
    imap.append("INBOX", "", &with_headers("bob@bob.example", "alice@lab.test", "bare", "", "x"));
    world.ok(&["sync"]);
    // Without Tor nothing is asked, and nothing has failed.
    assert_eq!(dkim(&world, "first")["result"], "waiting");
    assert_eq!(onion.asked("dns.example.net").len(), 0);
    assert!(world.ok(&["show", &world.only("subject:bare")])["authentication"]["dkim"].is_null());
    use_tor(&world, &onion);
    let first = settled(&world, "first");
    assert_eq!(first["result"], "pass", "{first}");
    assert_eq!((&first["domain"], &first["selector"]), (&"bob.example".into(), &"k1".into()));
    assert_eq!(
        (&first["dnssec"], &first["resolver"]),
        (&true.into(), &"https://dns.example.net/dns-query".into())
    );
    assert_eq!(first["key"].as_str().unwrap().len(), 64);
    assert_eq!(settled(&world, "second")["result"], "pass");
    assert_eq!(settled(&world, "mailed")["result"], "unaligned");
    assert_eq!(settled(&world, "several")["result"], "unaligned");
    let forged = settled(&world, "forged");
    assert_eq!((&forged["result"], &forged["flaw"]), (&"fail".into(), &"body".into()));
    let keyless = settled(&world, "keyless");
    assert_eq!((&keyless["result"], &keyless["flaw"]), (&"fail".into(), &"no-key".into()));
    wait_until("the slow key to be asked for", || onion.asked("dns.example.net").len() == 4);
    assert_eq!(dkim(&world, "stuck")["result"], "waiting", "trouble of a resolver is no failure");
    // One question for one key, each house on a circuit of its own.
    let mut circuits: Vec<_> = onion.asked("dns.example.net").into_iter().map(|q| q.circuit).collect();
    circuits.sort();
    circuits.dedup();
    assert_eq!(circuits.len(), 4);
    let log = world.ok(&["network", "log"]);
    let mut dkim_calls = log.as_array().unwrap().iter().filter(|e| e["purpose"] == "dkim").peekable();
    assert!(dkim_calls.peek().is_some());
    assert!(dkim_calls.all(|entry| entry["route"] == "tor"), "{log}");
    // The key goes; the verdict stays, over a restart too.
    zone.lock().unwrap().clear();
    drop(server);
    assert_eq!(dkim(&world, "first")["result"], "pass");
    let words = &world.ok(&["show", &world.only("subject:first")])["authentication"]["words"];
    assert!(words[0].as_str().unwrap().starts_with("Signed by bob.example (DKIM), checked on "), "{words}");
}

#[test]
fn an_archive_is_not_checked() {
    let zone = Zone::default();
    let onion = internet(&zone, "404 Not Found");
    let world = World::new();
    trust(&world, &onion);
    use_tor(&world, &onion);
    let server = world.serve();
    let raw = Signer::usual().sign(USUAL, &letter());
    world.ok(&["import", &world.file("old.eml", raw)]);
    assert_eq!(dkim(&world, "seeds")["result"], "not-checked");
    drop(server);
    assert_eq!(onion.asked("dns.example.net").len(), 0);
}

const WAYS: &str = "List-Id: <weekly.bob.example>\r\n\
    List-Unsubscribe: <mailto:leave@bob.example?subject=leave>, <https://leave.bob.example/out?u=1>\r\n\
    List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";

fn weekly(subject: &str) -> Vec<u8> {
    with_headers("Weekly <weekly@bob.example>", "alice@lab.test", subject, WAYS, "News")
}

struct Reading {
    world: World,
    onion: Onion,
}

/// Alice got these messages, and their signatures were looked at.
fn reading(status: &'static str, messages: &[Vec<u8>]) -> Reading {
    let usual = Signer::usual();
    let zone = Zone::default();
    zone.lock().unwrap().insert("k1._domainkey.bob.example".into(), Some(usual.record));
    let onion = internet(&zone, status);
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    trust(&world, &onion);
    use_tor(&world, &onion);
    let mut imap = lab.imap(&alice);
    for message in messages {
        imap.append("INBOX", "", message);
    }
    world.ok(&["sync"]);
    Reading { world, onion }
}

fn covering() -> String {
    format!("{USUAL}:list-unsubscribe:list-unsubscribe-post")
}

#[test]
fn a_list_is_left_by_one_click_exactly_once() {
    let Reading { world, onion } =
        reading("202 Accepted", &[Signer::usual().sign(&covering(), &weekly("weekly"))]);
    let server = world.serve();
    let cookie = server.sign_in();
    let id = world.only("subject:weekly");
    let page = server.request("GET", &format!("/messages/{id}")).cookie(&cookie).send();
    assert_eq!(onion.asked("leave.bob.example").len(), 0, "nothing leaves before the click");
    let form = page.form_with("Leave this list");
    let forged = server.request("POST", &form.action).cookie(&cookie).origin(&server.origin());
    assert_ne!(forged.form(&[("csrf".into(), "guessed".into())]).send().status, 303);
    assert_eq!(onion.asked("leave.bob.example").len(), 0);
    let post = server.request("POST", &form.action).cookie(&cookie).origin(&server.origin());
    let answer = post.form(&form.fields).send();
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(answer.header("location"), Some(format!("/messages/{id}").as_str()));
    let asked = onion.asked("leave.bob.example");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].head[0], "POST /out?u=1 HTTP/1.1");
    assert_eq!(asked[0].body, b"List-Unsubscribe=One-Click");
    let head = asked[0].head.join("\n").to_ascii_lowercase();
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    assert!(!head.contains("cookie") && !head.contains("referer"), "{head}");
    let page = server.request("GET", &format!("/messages/{id}")).cookie(&cookie).send().text();
    assert!(page.contains("You left this list on "), "{page}");
    assert!(!page.contains("Leave this list"));
}

#[test]
fn without_a_signature_that_covers_it_no_click_leaves() {
    let usual = Signer::usual();
    let two = String::from_utf8(usual.sign(&covering(), &weekly("changed"))).unwrap();
    let changed = two.replace("out?u=1", "out?u=2").into_bytes();
    let Reading { world, onion } =
        reading("200 OK", &[weekly("unsigned"), usual.sign(USUAL, &weekly("uncovered")), changed]);
    for subject in ["unsigned", "uncovered", "changed"] {
        let left = world.ok(&["unsubscribe", &world.only(&format!("subject:{subject}"))]);
        assert_eq!(left["way"], "mail", "{subject}: {left}");
        assert_eq!(onion.asked("leave.bob.example").len(), 0, "{subject}");
    }
    // Nothing is sent by itself: the draft waits for Alice.
    assert_eq!(world.ok(&["outbox", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn a_redirect_is_not_followed_and_a_mail_is_drafted_instead() {
    let Reading { world, onion } =
        reading("302 Found", &[Signer::usual().sign(&covering(), &weekly("weekly"))]);
    let left = world.ok(&["unsubscribe", &world.only("subject:weekly")]);
    assert_eq!(left["way"], "mail", "{left}");
    assert!(left["words"].as_str().unwrap().contains("status 302"), "{left}");
    assert_eq!(onion.asked("leave.bob.example").len(), 1);
    assert_eq!(onion.asked("eve.example").len(), 0);
}

#[test]
fn what_offers_no_way_out_says_so() {
    let world = World::new();
    world.ok(&["import", &world.file("a.eml", letter())]);
    world.fails(1, &["unsubscribe", &world.only("*")]);
    world.fails(4, &["unsubscribe", "nobody"]);
    let only_link = "List-Unsubscribe: <https://leave.bob.example/page>\r\n";
    let raw = with_headers("weekly@bob.example", "alice@lab.test", "linked", only_link, "x");
    world.ok(&["import", &world.file("b.eml", raw)]);
    let left = world.ok(&["unsubscribe", &world.only("subject:linked")]);
    assert_eq!((&left["way"], &left["link"]), (&"link".into(), &"https://leave.bob.example/page".into()));
}

#[test]
fn what_the_owners_server_noted_is_believed_once_it_is_known() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let mut imap = lab.imap(&alice);
    let received =
        "Received: from out.bob.example by mx.lab.test with ESMTP; Fri, 17 May 2024 09:30:01 +0000\r\n";
    let note =
        |server: &str| format!("Authentication-Results: {server}; dmarc=pass header.from=bob.example\r\n");
    let mut came = |subject: &str, above: &str, below: &str| {
        let plain = with_headers("bob@bob.example", "alice@lab.test", subject, "", "x");
        imap.append("INBOX", "", &[above.as_bytes(), received.as_bytes(), below.as_bytes(), &plain].concat());
        world.ok(&["sync"]);
    };
    let noted = |subject: &str| {
        world.ok(&["show", &world.only(&format!("subject:{subject}"))])["authentication"]["server"].clone()
    };
    let nothing = Value::Array(Vec::new());
    came("one", &note("mx.lab.test"), "");
    assert_eq!(noted("one"), nothing, "a name that was seen once is not known yet");
    came("two", &note("mx.lab.test"), "");
    came("three", &note("mx.lab.test"), "");
    assert_eq!(noted("one")[0]["methods"][0]["result"], "pass");
    came("below", "", &note("mx.lab.test"));
    assert_eq!(noted("below"), nothing, "what lies below was written by the sender");
    for subject in ["evilone", "eviltwo", "evilthree", "evilfour"] {
        came(subject, &note("mx.eve.example"), "");
    }
    assert_eq!(noted("evilfour"), nothing, "a server of another house is never learnt");
    world.ok(&["config", "set", "authentication.servers", "mx.eve.example"]);
    assert_eq!(noted("evilfour")[0]["server"], "mx.eve.example", "the owner's word goes first");
    assert_eq!(noted("one"), nothing);
}
