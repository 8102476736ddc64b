//! Invitations to compare keys, between two Mailkeeps over real mail servers, by the command line, the REST API and the
//! pages. Those with Delta Chat are told in `peers`. `MAILKEEP_SHOTS=FOLDER` also takes pictures of the pages.

use crate::browser::script;
use crate::private::Side;
use crate::support::world::PASSPHRASE;
use crate::support::{Lab, wait_for};
use serde_json::json;

/// Sends and fetches on both sides until each counts the other's key as verified.
fn compare(one: &Side, other: &Side) {
    wait_for("both keys to be compared", || {
        for side in [one, other] {
            side.world.ok(&["outbox", "flush"]);
            side.world.ok(&["sync"]);
        }
        let trusts = |one: &Side, other: &Side| {
            let peer = one.world.run_json(&["peer", "show", &other.person.address]);
            peer.code() == 0 && peer.json()["trust"] == "verified"
        };
        (trusts(one, other) && trusts(other, one)).then_some(())
    });
    assert_eq!(one.peer(other)["pinned_fingerprint"], other.fingerprint());
    assert_eq!(other.peer(one)["pinned_fingerprint"], one.fingerprint());
}

#[test]
fn two_mailkeeps_compare_keys_by_a_link() {
    let lab = Lab::shared();
    let (alice, bob) = (Side::new(lab, "alice"), Side::new(lab, "bob"));
    let invited = alice.world.ok(&["peer", "invite", &bob.person.address]);
    let link = invited["link"].as_str().unwrap();
    assert_eq!((&invited["state"], &invited["own"]), (&"made".into(), &true.into()), "{invited}");
    assert!(alice.world.fails(2, &["peer", "join", link]).contains("your own"));
    assert!(bob.world.fails(2, &["peer", "join", &link[..link.len() - 30]]).contains("no invitation"));
    let joined = bob.world.ok(&["peer", "join", link]);
    assert_eq!((&joined["state"], &joined["link"]), (&"asked".into(), &json!(null)), "{joined}");
    compare(&alice, &bob);
    for side in [&alice, &bob] {
        side.world.ok(&["outbox", "flush"]);
        side.world.ok(&["sync"]);
        assert_eq!(side.world.count("*"), 0, "{}", side.world.ok(&["search", "*"]));
        assert_eq!(side.world.ok(&["outbox", "list"]), json!([]));
        assert!(lab.imap(&side.person).held("INBOX").is_empty(), "nothing is left on the server");
    }
    // What goes between them from now on is verified from the first word.
    alice.writes(&[&bob], "hello", "hello\n", &[]);
    let got = bob.reads("hello");
    assert_eq!((&got["privacy"], &got["assurance"]), (&"private".into(), &"verified".into()), "{got}");

    // Nobody else can use an invitation: neither one that was used, nor one for another.
    let carol = Side::new(lab, "carol");
    carol.world.ok(&["peer", "join", link]);
    let other = alice.world.ok(&["peer", "invite", "somebody.else@lab.test"]);
    carol.world.ok(&["peer", "join", other["link"].as_str().unwrap()]);
    carol.world.ok(&["outbox", "flush"]);
    let seen = alice.reads("Comparing keys");
    assert_eq!(seen["from"]["address"], carol.person.address, "left where it is: {seen}");
    assert!(seen["reasons"][0].as_str().unwrap().starts_with("Mail programs write such messages"), "{seen}");
    alice.world.ok(&["outbox", "flush"]);
    assert_eq!(alice.world.ok(&["outbox", "list"]).as_array().unwrap().len(), 1, "the hello, and no answer");
    assert_eq!(alice.peer(&carol)["trust"], "first");
    assert!(lab.imap(&carol.person).held("INBOX").is_empty(), "she learnt nothing");
}

fn the_pages_of_invitations(javascript: bool) {
    let lab = Lab::shared();
    let (alice, bob) = (Side::new(lab, "alice"), Side::new(lab, "bob"));
    let carol = Side::new(lab, "carol");
    let of_bob = bob.world.ok(&["peer", "invite", &alice.person.address]);
    let token = alice.world.ok(&["token", "create", "story", "--scope", "admin"]);
    let server = alice.world.serve();
    let pictures = alice.world.path("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    script(
        "invitations.mjs",
        &[
            ("BASE", format!("http://{}", server.address)),
            ("PASSPHRASE", PASSPHRASE.to_owned()),
            ("BOB", bob.person.address.clone()),
            ("CAROL", carol.person.address.clone()),
            ("LINK", of_bob["link"].as_str().unwrap().to_owned()),
            ("JAVASCRIPT", if javascript { "on" } else { "off" }.to_owned()),
            ("PICTURES", pictures.to_str().unwrap().to_owned()),
            ("SHOTS", std::env::var("MAILKEEP_SHOTS").unwrap_or_default()),
        ],
    );
    // The REST API says the same, and makes and takes them as well.
    let ask =
        |method: &str, path: &str| server.request(method, path).bearer(token["token"].as_str().unwrap());
    let all = ask("GET", "/api/v1/invitations").send().json();
    let of = |address: &str, own: bool| {
        let all = all.as_array().unwrap();
        all.iter().find(|one| one["email"] == address && one["own"] == own).unwrap().clone()
    };
    assert!(["asked", "answered"].contains(&of(&bob.person.address, false)["state"].as_str().unwrap()));
    let for_carol = of(&carol.person.address, true);
    assert_eq!(for_carol["state"], "made");
    let path = format!("/api/v1/peers/{}/invite", carol.person.address);
    let made = ask("POST", &path).json(&json!({"from": alice.person.address})).send().json();
    assert_ne!(made["link"], for_carol["link"], "a new one takes the place of the other");
    let refused = ask("POST", "/api/v1/invitations").json(&json!({"link": made["link"]})).send();
    assert_eq!(refused.status, 422, "{}", refused.text());
    drop(server);
    let joined = carol.world.ok(&["peer", "join", made["link"].as_str().unwrap()]);
    assert_eq!(joined["state"], "asked");
    compare(&alice, &carol);
    compare(&alice, &bob);
}

#[test]
fn invitations_are_made_and_taken_on_pages_with_javascript() {
    the_pages_of_invitations(true);
}

#[test]
fn invitations_are_made_and_taken_on_pages_without_javascript() {
    the_pages_of_invitations(false);
}
