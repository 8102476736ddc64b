//! What the pages say of private mail, in a real browser, with JavaScript and without: the line under each sender, the line
//! of the composer, a key that changed, keys and their copy. `MAILKEEP_SHOTS=FOLDER` also takes pictures of all that.

use crate::browser::script;
use crate::private::Side;
use crate::support::mail::plain;
use crate::support::world::PASSPHRASE;
use crate::support::{Lab, World};

/// Alice and Bob have written in private; then Bob began anew, and his key is another one. Carol has none.
fn the_pages_of_private_mail(javascript: bool) {
    let lab = Lab::shared();
    let (alice, bob, carol) = (Side::new(lab, "alice"), Side::new(lab, "bob"), lab.person("carol"));
    bob.writes(&[&alice], "seeds", "Shall I keep two bags of the early peas?\n", &[]);
    let got = alice.reads("seeds");
    let id = got["id"].as_str().unwrap();
    alice.writes(&[&bob], "Re: seeds", "Both, please.\n", &["--reply-to-id", id]);
    let got = bob.reads("Re: seeds");
    let id = got["id"].as_str().unwrap();
    bob.writes(&[&alice], "Re: seeds on Thursday", "Come on Thursday then.\n", &["--reply-to-id", id]);
    let private = alice.reads("Re: seeds on Thursday");
    lab.deliver(&alice.person, &plain(&carol.address, &alice.person.address, "the fence", "It fell over."));
    alice.reads("the fence");
    let again = World::with_account(lab, &bob.person);
    again.ok(&["config", "set", "writing.undo-seconds", "0"]);
    let bob = Side { world: again, person: bob.person };
    bob.writes(&[&alice], "a new machine", "The old one drowned.\n", &[]);
    let changed = alice.reads("a new machine");
    let server = alice.world.serve();
    let pictures = alice.world.path("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    script(
        "private.mjs",
        &[
            ("BASE", format!("http://{}", server.address)),
            ("PASSPHRASE", PASSPHRASE.to_owned()),
            ("ADDRESS", alice.person.address.clone()),
            ("BOB", bob.person.address.clone()),
            ("CAROL", carol.address),
            ("PRIVATE", private["id"].as_str().unwrap().to_owned()),
            ("CHANGED", changed["id"].as_str().unwrap().to_owned()),
            ("JAVASCRIPT", if javascript { "on" } else { "off" }.to_owned()),
            ("PICTURES", pictures.to_str().unwrap().to_owned()),
            ("SHOTS", std::env::var("MAILKEEP_SHOTS").unwrap_or_default()),
        ],
    );
    drop(server);
    // What was pressed on the pages is what holds.
    assert_eq!(alice.peer(&bob)["pinned_fingerprint"], bob.fingerprint());
    let key = &alice.world.ok(&["key", "list"])[0];
    assert!(key["backed_up"].is_string(), "a copy was made: {key}");
    assert_eq!(alice.world.ok(&["account", "list"])[0]["prefer_encrypt"], "nopreference");
    assert_eq!(alice.world.count("in:sent is:encrypted"), 2, "the answer went out in private");
}

#[test]
fn private_mail_is_told_with_javascript() {
    the_pages_of_private_mail(true);
}

#[test]
fn private_mail_is_told_without_javascript() {
    the_pages_of_private_mail(false);
}
