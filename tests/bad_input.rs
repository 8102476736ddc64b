//! Bad input at the command line: each kind gives its sentence and its exit status, and nothing is lost.

use crate::support::World;
use crate::support::mail::plain;
use crate::support::world::{MAILKEEP, finish};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn with_mail() -> World {
    let world = World::new();
    world.ok(&["import", &world.file("a.eml", plain("bob@lab.test", "alice@lab.test", "precious", "x"))]);
    world
}

/// A command with nothing of ours in front.
fn bare(args: &[&str]) -> Command {
    let mut command = Command::new(MAILKEEP);
    command.args(args).stdin(std::process::Stdio::null());
    command.env_remove("MAILKEEP_DATA").env_remove("MAILKEEP_PASSPHRASE_FILE");
    command
}

#[test]
fn a_wrong_passphrase_is_3() {
    let world = with_mail();
    let data = world.data().to_str().unwrap();
    for content in ["wrong", "", "\n", "seven quiet herons"] {
        let file = world.file("wrong", content);
        let said = finish(bare(&["--data", data, "--passphrase-file", &file, "count", "*"])).fails(3);
        assert!(said.to_lowercase().contains("passphrase"), "{said}");
    }
    let said = finish(bare(&["--data", data, "--passphrase-file", "/nowhere/at/all", "count", "*"])).fails(1);
    assert!(said.contains("/nowhere/at/all"), "{said}");
    // Without a terminal there is nobody to ask.
    assert_ne!(finish(bare(&["--data", data, "count", "*"])).code(), 0);
    assert_eq!(world.count("*"), 1);
}

#[test]
fn global_options_stand_before_or_after_and_the_environment_stands_in() {
    let world = with_mail();
    let (data, pass) =
        (world.data().to_str().unwrap().to_owned(), world.path("passphrase").to_str().unwrap().to_owned());
    let before =
        finish(bare(&["--data", &data, "--passphrase-file", &pass, "--json", "count", "*"])).done().json();
    let after =
        finish(bare(&["count", "*", "--json", "--data", &data, "--passphrase-file", &pass])).done().json();
    let mut by_environment = bare(&["count", "--json", "*"]);
    by_environment.env("MAILKEEP_DATA", &data).env("MAILKEEP_PASSPHRASE_FILE", &pass);
    let by_environment = finish(by_environment).done().json();
    for json in [before, after, by_environment] {
        assert_eq!(json["total"], 1, "{json}");
        assert_eq!(json["query"], "*", "{json}");
    }
    let mut xdg = bare(&["--passphrase-file", &pass, "--json", "init"]);
    xdg.env("XDG_DATA_HOME", world.path("xdg"));
    let made = finish(xdg).done().json();
    assert_eq!(made["data"], world.path("xdg/mailkeep").to_str().unwrap(), "{made}");
    let mut home = bare(&["--passphrase-file", &pass, "--json", "init"]);
    home.env("HOME", world.path("home")).env_remove("XDG_DATA_HOME");
    finish(home).done();
    assert!(world.path("home/.local/share/mailkeep").is_dir());
}

#[test]
fn wrong_usage_is_2() {
    let world = with_mail();
    for args in [
        &["no-such-command"][..],
        &["show"],
        &["search"],
        &["search", "*", "--sort", "sideways"],
        &["search", "*", "--limit", "many"],
        &["export", "/tmp/x", "--format", "tarball"],
        &["account", "add", "no address"],
        &["account", "add", "a@lab.test", "--imap", "localhost:99999", "--imap-security", "tls"],
        &["account", "add", "a@lab.test", "--imap", "localhost:1", "--imap-security", "rot13"],
        &["serve", "--listen", "nowhere"],
        &["tag", "+x"],
    ] {
        let finished = world.run(args);
        assert_eq!(finished.code(), 2, "{finished}");
        assert_eq!(finished.stderr.lines().count(), 1, "one line says it: {finished}");
    }
    let nothing = finish(bare(&[]));
    assert_eq!((nothing.code(), nothing.stderr.lines().count()), (2, 1), "{nothing}");
    // Named, but not there yet.
    for args in
        [&["backup", "create", "/tmp/x"][..], &["account", "add", "a@lab.test", "--pop3", "localhost:110"]]
    {
        let finished = world.run(args);
        assert_eq!(finished.code(), 2, "{finished}");
        assert!(finished.stderr.to_lowercase().contains("yet"), "{finished}");
    }
}

#[test]
fn what_nobody_has_is_4() {
    let world = with_mail();
    for id in ["nobody-has-this", "", "../../etc/passwd", "aaaaaaaaaaaaaaaaaaaaaaaa", "-"] {
        let finished = world.run_json(&["show", "--", id]);
        assert_eq!(finished.code(), 4, "{finished}");
    }
    world.fails(4, &["delete", "nobody-has-this"]);
    world.fails(4, &["sync", "nobody@lab.test"]);
}

#[test]
fn a_store_is_made_once_and_wanted_by_every_other_command() {
    let world = with_mail();
    let said = world.fails(1, &["init"]);
    assert!(said.contains(world.data().to_str().unwrap()), "{said}");
    assert_eq!(world.count("*"), 1);
    let none = World::bare();
    let said = none.fails(1, &["count", "*"]);
    assert!(said.contains("init") || said.contains("serve"), "says what to do: {said}");
    assert!(!none.data().exists(), "asking makes nothing");
    // A folder with somebody's files in it is not taken over.
    let other = World::bare();
    std::fs::create_dir_all(other.data()).unwrap();
    std::fs::write(other.data().join("thesis.txt"), "years of work").unwrap();
    other.fails(1, &["init"]);
    assert_eq!(std::fs::read(other.data().join("thesis.txt")).unwrap(), b"years of work");
}

#[test]
fn the_store_belongs_to_its_owner_alone() {
    let world = with_mail();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.data()), 0o700);
    let mut folders = vec![world.data().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            let wanted = if entry.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&entry), wanted, "{entry:?} has {:o}", mode(&entry));
            if entry.is_dir() {
                folders.push(entry);
            }
        }
    }
}

#[test]
fn a_damaged_store_is_5() {
    let world = with_mail();
    for entry in std::fs::read_dir(world.data()).unwrap().map(|e| e.unwrap().path()) {
        if entry.file_name().unwrap().to_string_lossy().contains("vault") {
            std::fs::write(entry, b"this was a vault once").unwrap();
        }
    }
    let said = world.fails(5, &["count", "*"]);
    assert!(said.to_lowercase().contains("vault"), "{said}");
}

#[test]
fn a_message_of_200_megabytes_is_taken_or_refused_in_words() {
    let world = with_mail();
    let path = world.path("huge.eml");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    file.write_all(b"From: bob@lab.test\nSubject: huge beyond reason\n\n").unwrap();
    let line = format!("{}\n", "lorem ipsum ".repeat(6));
    for _ in 0..(200 << 20) / line.len() {
        file.write_all(line.as_bytes()).unwrap();
    }
    file.flush().unwrap();
    drop(file);
    let finished = world.run_json(&["import", path.to_str().unwrap()]);
    if finished.code() == 0 {
        let id = world.only("subject:\"huge beyond reason\"");
        assert!(world.raw(&id) == std::fs::read(&path).unwrap(), "kept byte for byte");
        assert_eq!(world.ok(&["show", &id])["subject"], "huge beyond reason");
    } else {
        let said = finished.fails(1);
        assert!(said.contains("huge.eml"), "{said}");
    }
    assert_eq!(world.count("subject:precious"), 1);
    assert_eq!(world.ok(&["check"])["damaged"], 0);
}

#[test]
fn names_and_numbers_from_hostile_mail_do_no_harm() {
    let world = World::new();
    let deep = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}",
        "--b\nContent-Type: multipart/mixed; boundary=b\n\n".repeat(3000)
    );
    let nested = "Content-Type: message/rfc822\n\n".repeat(3000);
    let many = format!("Content-Type: multipart/mixed; boundary=b\n\n{}--b--\n", "--b\n\nx\n".repeat(50_000));
    let header =
        format!("Subject: {}\nTo: {}\n\nx\n", "long ".repeat(100_000), "a@b.example, ".repeat(50_000));
    let name = "Subject: n\nContent-Type: application/pdf; name=\"../../../etc/passwd\"\nContent-Disposition: attachment; filename=\"../../../etc/passwd\"\n\nx\n";
    let control =
        "Subject: \x1b]0;owned\x07 \u{202e}fdp.exe\nFrom: \"\x1b[2J\" <a@b.example>\n\n\x1b[31mred\n";
    for (n, text) in [deep.as_str(), &nested, &many, &header, name, control].iter().enumerate() {
        world.ok(&["import", &world.file(&format!("hostile/{n}.eml"), text)]);
    }
    let ids = world.ids("*");
    assert_eq!(ids.len(), 6);
    for id in &ids {
        let shown = world.ok(&["show", id]);
        for part in shown["parts"].as_array().unwrap() {
            let name = part["name"].as_str().unwrap_or_default();
            assert!(!name.contains('/') && !name.starts_with('.'), "{name}");
        }
        world.run(&["show", id, "--html"]).done();
        let text = world.run(&["show", id, "--text"]).done().stdout;
        assert!(!text.contains(&0x1b), "no control characters reach the terminal");
        let plain = world.run(&["search", "*"]).done().stdout;
        assert!(!plain.contains(&0x1b));
    }
}
