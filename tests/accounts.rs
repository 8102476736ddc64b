//! Adding, checking and removing accounts: a real login to both servers decides.

use crate::support::{Lab, World, wait_until};
use std::path::Path;

fn add(world: &World, args: &[String]) -> crate::support::world::Finished {
    world.run_json(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn an_account_is_added_listed_checked_and_removed() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::new();
    let added = world.add_account(lab, &alice);
    assert!(added.to_string().contains(&alice.address), "{added}");
    assert!(!added.to_string().contains(lab.password()), "the password is never shown");
    let listed = world.ok(&["account", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert!(!listed.to_string().contains(lab.password()));
    assert_eq!(world.ok(&["account", "check"]).as_array().unwrap().len(), 1);
    // What left is told by the next command, too.
    let left = world.ok(&["network", "log"]);
    let purposes: Vec<_> = left.as_array().unwrap().iter().map(|entry| entry["purpose"].clone()).collect();
    assert!(purposes.contains(&"imap".into()) && purposes.contains(&"submission".into()), "{left}");
    assert_eq!(world.ok(&["account", "check", &alice.address]).as_array().unwrap().len(), 1);
    world.fails(4, &["account", "check", "nobody@lab.test"]);
    world.fails(4, &["account", "remove", "nobody@lab.test"]);
    world.ok(&["account", "remove", &alice.address]);
    assert_eq!(world.ok(&["account", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn every_kind_of_security_works_where_the_server_offers_it() {
    let lab = Lab::shared();
    for (security, imap, smtp) in
        [("tls", "IMAPS", "SUBMISSIONS"), ("starttls", "IMAP", "SUBMISSION"), ("none", "IMAP", "SUBMISSION")]
    {
        let alice = lab.person("alice");
        let world = World::new();
        add(&world, &lab.account_args_at(&alice, "localhost", security, lab.port(imap), lab.port(smtp)))
            .done();
        world.ok(&["sync"]);
    }
}

#[test]
fn starttls_never_falls_back_to_clear_text() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::new();
    // This address offers no TLS at all.
    let args = lab.account_args_at(&alice, "127.0.0.3", "starttls", lab.port("IMAP"), lab.port("SUBMISSION"));
    add(&world, &args).fails(1);
    assert_eq!(world.ok(&["account", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn a_server_that_wants_tls_first_is_given_it() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::new();
    let args = lab.account_args_at(&alice, "127.0.0.2", "starttls", lab.port("IMAP"), lab.port("SUBMISSION"));
    add(&world, &args).done();
    let other = World::new();
    let args = lab.account_args_at(&alice, "127.0.0.2", "none", lab.port("IMAP"), lab.port("SUBMISSION"));
    add(&other, &args).fails(1);
}

#[test]
fn a_certificate_of_somebody_else_is_refused() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::new();
    for (security, imap, smtp) in [("tls", "IMAPS", "SUBMISSIONS"), ("starttls", "IMAP", "SUBMISSION")] {
        let args = lab.account_args_at(&alice, "127.0.0.4", security, lab.port(imap), lab.port(smtp));
        let said = add(&world, &args).fails(1);
        assert!(said.to_lowercase().contains("certificate"), "{said}");
    }
}

#[test]
fn the_labs_certificate_is_refused_without_its_ca() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::new();
    let mut args = lab.account_args(&alice);
    let at = args.iter().position(|a| a == "--ca-file").unwrap();
    args.drain(at..at + 2);
    let said = add(&world, &args).fails(1);
    assert!(said.to_lowercase().contains("certificate"), "{said}");
    // The same CA, said once for the whole store.
    world.ok(&["config", "set", "extra-ca", lab.ca()]);
    add(&world, &args).done();
}

#[test]
fn a_refused_login_and_a_server_that_is_not_there_are_told_apart() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::new();
    let mut args = lab.account_args(&alice);
    let at = args.iter().position(|a| a == "--password-file").unwrap();
    args[at + 1] = world.file("wrong", "not the password\n");
    let said = add(&world, &args).fails(1);
    assert!(said.contains(&alice.address) || said.contains("localhost"), "names what failed: {said}");
    assert!(!said.contains("not the password"), "{said}");
    // Port 9 (discard) has nobody listening.
    let args = lab.account_args_at(&alice, "127.0.0.1", "tls", 9, 9);
    let other = add(&world, &args).fails(1);
    assert_ne!(said, other);
    assert!(other.contains("127.0.0.1"), "{other}");
    args_file_that_is_not_there(&world, lab, &alice);
    assert_eq!(world.ok(&["account", "list"]).as_array().unwrap().len(), 0, "a refused account is not kept");
}

fn args_file_that_is_not_there(world: &World, lab: &Lab, alice: &crate::support::Person) {
    let mut args = lab.account_args(alice);
    let at = args.iter().position(|a| a == "--password-file").unwrap();
    args[at + 1] = "/nowhere/at/all".to_owned();
    assert!(!Path::new("/nowhere").exists());
    let said = add(world, &args).fails(1);
    assert!(said.contains("/nowhere/at/all"), "{said}");
}

#[test]
fn mail_of_a_removed_account_stays_only_when_asked_for() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    lab.deliver(&alice, b"Subject: kept or not\n\nhello\n");
    wait_until("the mail to lie there", || lab.imap(&alice).held("INBOX").len() == 1);
    let world = World::with_account(lab, &alice);
    world.ok(&["sync"]);
    assert_eq!(world.count("*"), 1);
    world.ok(&["account", "remove", &alice.address, "--keep-mail"]);
    assert_eq!(world.count("*"), 1);
    world.add_account(lab, &alice);
    world.ok(&["sync"]);
    world.ok(&["account", "remove", &alice.address]);
    assert_eq!(world.count("*"), 0);
    assert_eq!(lab.imap(&alice).held("INBOX").len(), 1, "the server keeps its own");
}
