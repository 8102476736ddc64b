//! Promises 3, 4, 8 and 9 of the store: the index comes back by itself, the packs bring the mail back without the
//! database, a passphrase is changed in a moment, and all of it costs less than the mail.

use crate::support::World;
use crate::support::mail::{lf, plain};
use crate::support::world::{MAILKEEP, finish};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

fn letter(n: usize) -> Vec<u8> {
    let words = ["heron", "ledger", "harbour", "winter", "garden", "letter", "station", "orchard"];
    let body: String =
        (0..120).map(|i| format!("{} {}\r\n", words[(n + i) % 8], words[(n * i) % 8])).collect();
    lf(&plain("bob@lab.test", "alice@lab.test", &format!("letter {n}"), &body))
}

fn filled(n: usize) -> World {
    let world = World::new();
    for i in 0..n {
        world.file(&format!("in/{i}.eml"), letter(i));
    }
    assert_eq!(world.ok(&["import", world.path("in").to_str().unwrap()])["messages"], n);
    world
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn part_of(world: &World, word: &str) -> Vec<PathBuf> {
    let all = files(world.data());
    let found: Vec<PathBuf> = all
        .iter()
        .filter(|p| p.strip_prefix(world.data()).unwrap().to_string_lossy().contains(word))
        .cloned()
        .collect();
    assert!(!found.is_empty(), "no {word} among {all:?}");
    found
}

fn everything(world: &World) -> BTreeMap<String, Vec<u8>> {
    let server = world.serve();
    let all = world.ids("*").into_iter().map(|id| (id.clone(), world.raw(&id))).collect();
    drop(server);
    all
}

#[test]
fn an_index_that_is_gone_or_damaged_comes_back_by_itself() {
    let world = filled(25);
    let before = everything(&world);
    let id = world.only("subject:\"letter 7\"");
    for damage in ["gone", "flipped", "cut", "empty"] {
        for file in part_of(&world, "index") {
            let mut bytes = std::fs::read(&file).unwrap();
            match damage {
                "gone" => std::fs::remove_file(&file).unwrap(),
                "cut" => std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap(),
                "empty" => std::fs::write(&file, b"").unwrap(),
                _ => {
                    let at = bytes.len() / 2;
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 0x10;
                    }
                    std::fs::write(&file, &bytes).unwrap();
                }
            }
        }
        if damage == "gone" {
            let _ = std::fs::remove_dir_all(world.data().join("index"));
        }
        let server = world.serve();
        assert_eq!(world.ok(&["show", &id])["subject"], "letter 7", "{damage}: mail opens at once");
        crate::support::wait_until("search to come back", || {
            let found = world.run_json(&["count", "subject:letter"]);
            found.code() == 0 && found.json()["total"] == 25
        });
        assert_eq!(world.only("subject:\"letter 7\""), id, "{damage}");
        drop(server);
        assert_eq!(everything(&world), before, "{damage}");
    }
}

#[test]
fn without_the_database_all_messages_come_back() {
    let world = filled(25);
    world.ok(&["tag", "+orchard", "--", "subject:\"letter 3\""]);
    let before = everything(&world);
    for file in part_of(&world, "database") {
        std::fs::remove_file(file).unwrap();
    }
    let said = world.fails(5, &["count", "*"]);
    assert!(said.contains("check --repair"), "says what to do: {said}");
    let repaired = world.ok(&["check", "--repair"]);
    assert_eq!(repaired["messages"], 25, "{repaired}");
    assert_eq!(repaired["lost"], 0, "{repaired}");
    assert_eq!(everything(&world), before, "the same bytes under the same ids");
    assert_eq!(world.count("subject:letter"), 25);
    assert_eq!(world.ok(&["check"])["damaged"], 0);
}

#[test]
fn with_a_snapshot_tags_and_settings_come_back_too() {
    let world = filled(10);
    world.ok(&["tag", "+orchard", "--", "subject:\"letter 3\""]);
    world.ok(&["config", "set", "writing.signature", "Alice of the orchard"]);
    // A snapshot comes with the hour, and whenever something is deleted for ever.
    world.ok(&["import", &world.file("away.eml", letter(77))]);
    let away = world.only("subject:\"letter 77\"");
    world.ok(&["tag", "+trash", "--", "subject:\"letter 77\""]);
    world.ok(&["delete", &away]);
    // What comes in afterwards lies in the packs only.
    world.ok(&["import", &world.file("late.eml", letter(99))]);
    for file in
        part_of(&world, "database").into_iter().filter(|f| !f.to_string_lossy().contains("snapshots/"))
    {
        std::fs::remove_file(file).unwrap();
    }
    let repaired = world.ok(&["check", "--repair"]);
    assert_eq!(repaired["messages"], 11, "{repaired}");
    assert_eq!(world.count("tag:orchard"), 1);
    assert_eq!(world.ok(&["config", "get", "writing.signature"])["value"], "Alice of the orchard");
    assert_eq!(world.count("subject:\"letter 99\""), 1);
}

#[test]
fn damage_in_a_pack_is_reported_and_takes_no_neighbour_with_it() {
    let world = filled(25);
    let before = everything(&world);
    let pack =
        part_of(&world, "pack").into_iter().max_by_key(|f| std::fs::metadata(f).unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&pack, &bytes).unwrap();
    let checked = world.run_json(&["check"]);
    assert!([0, 5].contains(&checked.code()), "{checked}");
    if checked.code() == 0 {
        assert_eq!(checked.json()["damaged"], 1);
    }
    let whole = before.iter().filter(|(id, bytes)| {
        let shown = world.run(&["show", id, "--raw"]);
        shown.code() == 0 && &shown.stdout == *bytes
    });
    assert_eq!(whole.count(), 24, "one is damaged, its neighbours are not");
    // What is whole can be taken out, and the exit status tells that something is missing.
    let out = world.path("out.mbox");
    let exported = world.run_json(&["export", out.to_str().unwrap(), "--format", "mbox"]);
    assert_eq!(exported.code(), 1, "{exported}");
    let written = exported.json();
    assert_eq!((&written["messages"], &written["failed"]), (&24.into(), &1.into()), "{written}");
    assert!(exported.stderr.contains("1 damaged"), "{exported}");
}

#[test]
fn a_damaged_page_of_the_index_is_answered_by_the_search_that_meets_it() {
    let world = World::new();
    let letters: Vec<Vec<u8>> = (0..400_usize)
        .map(|n| {
            let words = (0..200).map(|i| format!("w{:x}\r\n", (n * 977 + i * 131) % 9_000));
            lf(&plain("bob@lab.test", "alice@lab.test", &format!("letter {n}"), &words.collect::<String>()))
        })
        .collect();
    world.ok(&["import", &world.file("box", crate::support::mail::mbox(&letters))]);
    let answers = || ["w3e8 w46b", "w1f*", "subject:letter"].map(|query| world.count(query));
    let expected = answers();
    assert_eq!(expected[2], 400);
    for page in [0, 2, 4] {
        let largest = part_of(&world, "index")
            .into_iter()
            .filter(|file| !file.ends_with("catalog"))
            .max_by_key(|file| std::fs::metadata(file).unwrap().len())
            .unwrap();
        let mut bytes = std::fs::read(&largest).unwrap();
        let at = (page * (32 * 1024 + 16) + 5).min(bytes.len() / 2);
        bytes[at] ^= 1;
        std::fs::write(&largest, &bytes).unwrap();
        assert_eq!(answers(), expected, "page {page}");
        assert_eq!(world.ok(&["check"])["damaged"], 0, "it was built anew");
    }
}

#[test]
fn the_passphrase_is_changed_in_a_moment_and_the_old_one_opens_nothing() {
    let world = filled(5);
    let before = everything(&world);
    let new = world.file("new", "an altogether different sentence of mine\n");
    let start = Instant::now();
    world.ok(&["passphrase", "change", "--new-passphrase-file", &new]);
    eprintln!("changing the passphrase took {:.1} s", start.elapsed().as_secs_f32());
    world.fails(3, &["count", "*"]);
    let with_new = |args: &[&str]| {
        let mut command = Command::new(MAILKEEP);
        command.arg("--data").arg(world.data()).args(["--passphrase-file", &new, "--json"]).args(args);
        finish(command)
    };
    assert_eq!(with_new(&["count", "*"]).done().json()["total"], before.len());
    // Both copies of the vault were changed: with either gone the old one still opens nothing.
    let vaults: Vec<PathBuf> = part_of(&world, "vault");
    for gone in &vaults {
        let kept = std::fs::read(gone).unwrap();
        std::fs::remove_file(gone).unwrap();
        assert_ne!(world.run_json(&["count", "*"]).code(), 0);
        std::fs::write(gone, kept).unwrap();
    }
    std::fs::write(world.path("passphrase"), std::fs::read(&new).unwrap()).unwrap();
    assert_eq!(everything(&world), before);
}

#[test]
fn one_damaged_copy_of_the_vault_is_mended_from_the_other() {
    let world = filled(2);
    let vaults = part_of(&world, "vault");
    for damaged in &vaults {
        let whole = std::fs::read(damaged).unwrap();
        let mut bytes = whole.clone();
        let at = bytes.len() - 5;
        bytes[at] ^= 1;
        std::fs::write(damaged, &bytes).unwrap();
        if vaults.len() > 1 {
            assert_eq!(world.count("*"), 2, "without {damaged:?}");
            assert_eq!(world.ok(&["check", "--repair"])["damaged"], 0);
        } else {
            std::fs::write(damaged, &whole).unwrap();
        }
    }
}

#[test]
fn a_store_costs_less_disk_than_its_mail() {
    let world = World::new();
    let letters: Vec<Vec<u8>> = (0..3000)
        .map(|n| {
            let mut letter = letter(n);
            letter.extend_from_slice(format!("{}\n", data_encoding::BASE64.encode(&sha(n))).as_bytes());
            letter
        })
        .collect();
    let mbox = crate::support::mail::mbox(&letters);
    let raw: u64 = letters.iter().map(|l| l.len() as u64).sum();
    world.ok(&["import", &world.file("box", &mbox)]);
    use std::os::unix::fs::MetadataExt;
    let disk: u64 = files(world.data()).iter().map(|f| std::fs::metadata(f).unwrap().blocks() * 512).sum();
    eprintln!("{disk} bytes on disk for {raw} bytes of mail: {:.2}", disk as f64 / raw as f64);
    assert!(disk < raw, "{disk} bytes on disk for {raw} bytes of mail");
}

fn sha(n: usize) -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest(n.to_le_bytes()).to_vec()
}
