//! Real and hostile mail beyond the repository's own: only where `MAILKEEP_CORPORA` names a folder that holds `mime/`
//! (files of single messages and mboxes) and, for the long run, `lists/` (mbox archives).

use crate::support::World;
use std::path::{Path, PathBuf};

fn corpora(part: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("MAILKEEP_CORPORA") else {
        eprintln!("not run: MAILKEEP_CORPORA names no folder of mail");
        return None;
    };
    Some(PathBuf::from(folder).join(part))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn every_file_goes_through_every_command() {
    let Some(folder) = corpora("mime") else { return };
    let world = World::new();
    let server = world.serve();
    let mut taken = 0;
    for path in files(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        let done = world.run_json(&["import", path.to_str().unwrap()]);
        assert!([0, 1].contains(&done.code()), "{path:?}: {done}");
        if done.code() == 1 {
            eprintln!("no message: {path:?}");
            continue;
        }
        let done = done.json();
        taken += done["messages"].as_u64().unwrap();
        let lone = !bytes.starts_with(b"From ") || path.extension().is_some_and(|e| e == "eml");
        if lone {
            assert_eq!(
                done["messages"].as_u64().unwrap() + done["duplicates"].as_u64().unwrap(),
                1,
                "{path:?}: {done}"
            );
        }
    }
    let ids = world.ids("*");
    assert_eq!(ids.len() as u64, taken, "the count of messages is the count that came in");
    for id in &ids {
        world.ok(&["show", id]);
        world.run(&["show", id, "--html"]).done();
        world.run(&["show", id, "--text"]).done();
    }
    drop(server);
    assert_eq!(world.ok(&["check"])["damaged"], 0);
}

#[test]
fn single_messages_keep_their_bytes() {
    let Some(folder) = corpora("mime") else { return };
    let world = World::new();
    let server = world.serve();
    for path in files(&folder).into_iter().filter(|p| p.extension().is_some_and(|e| e == "eml")) {
        let bytes = std::fs::read(&path).unwrap();
        if world.run_json(&["import", path.to_str().unwrap(), "--tag", "this"]).code() != 0 {
            continue;
        }
        let stored: Vec<Vec<u8>> = world.ids("tag:this").iter().map(|id| world.raw(id)).collect();
        assert!(stored.contains(&bytes), "{path:?} is not kept byte for byte");
        world.ok(&["tag", "-this", "--", "tag:this"]);
    }
    drop(server);
}

#[test]
fn naughty_strings_come_back_unharmed() {
    let Some(folder) = corpora("html/naughty-strings") else { return };
    let world = World::new();
    let server = world.serve();
    let Some(list) = files(&folder).into_iter().find(|p| p.extension().is_some_and(|e| e == "txt")) else {
        panic!("no list of strings in {folder:?}")
    };
    let text = String::from_utf8_lossy(&std::fs::read(list).unwrap()).into_owned();
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let found = world.run_json(&["count", "--", line]);
        assert!([0, 2].contains(&found.code()), "{line:?}: {found}");
    }
    drop(server);
}
