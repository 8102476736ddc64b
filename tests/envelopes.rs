//! What is said of signed and encrypted mail that others collected to break mail programs: for each message one line in
//! `tests/data/envelopes.txt`. `MAILKEEP_CORPORA` names the folder; without it there is nothing to read here.

use crate::support::World;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder of mail with the keys that its reader has.
struct Collection {
    folder: &'static str,
    keys: &'static [&'static str],
}

const COLLECTIONS: &[Collection] = &[
    Collection {
        folder: "pgp/johnny",
        keys: &["assets/public-keys/eve@bigcorporation.asc", "assets/public-keys/manager@bigcorporation.asc"],
    },
    Collection {
        folder: "pgp/comm-central-openpgp/mail/test/browser/openpgp/data",
        keys: &[
            "keys/alice@openpgp.example-0xf231550c4f47e38e-secret.asc",
            "keys/bob@openpgp.example-0xfbfcc82a015e7330-pub.asc",
            "keys/carol@example.com-0x3099ff1238852b9f-pub.asc",
        ],
    },
    Collection {
        folder: "pgp/protected-headers",
        keys: &["bob@openpgp.example.sec.asc", "alice@openpgp.example.pub.asc"],
    },
];

fn messages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "eml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_collected_message_is_judged_as_it_should_be() {
    let Some(corpora) = std::env::var_os("MAILKEEP_CORPORA").map(PathBuf::from) else {
        eprintln!("MAILKEEP_CORPORA is not set: no collected mail is read");
        return;
    };
    let table = include_str!("data/envelopes.txt");
    let expected: BTreeMap<&str, &str> = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(" = ").unwrap())
        .collect();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for collection in COLLECTIONS {
        let folder = corpora.join(collection.folder);
        let world = World::new();
        for key in collection.keys {
            world.ok(&["key", "import", folder.join(key).to_str().unwrap()]);
        }
        let server = world.serve();
        for path in messages(&folder) {
            world.ok(&["import", path.to_str().unwrap()]);
        }
        let found = world.ok(&["search", "*", "--limit", "1000"]);
        let mut judged = BTreeMap::new();
        for hit in found["messages"].as_array().unwrap() {
            let id = hit["id"].as_str().unwrap();
            let shown = world.ok(&["show", id]);
            let words = |value: &serde_json::Value| {
                format!("{} {}", value["privacy"].as_str().unwrap(), value["assurance"].as_str().unwrap())
            };
            judged.insert(world.raw(id), (words(hit), words(&shown), shown["reasons"].to_string()));
        }
        for path in messages(&folder) {
            let name = path.strip_prefix(&corpora).unwrap().to_str().unwrap().to_owned();
            // What is no mail, or the same mail twice, has nothing to say for itself.
            let Some((listed, shown, reasons)) = judged.get(&std::fs::read(&path).unwrap()) else { continue };
            seen += 1;
            let wanted = expected.get(name.as_str()).copied().unwrap_or("nothing");
            if wanted != shown || listed != shown {
                wrong.push(format!("{name} = {shown}   (expected {wanted}; listed {listed}) {reasons}"));
            }
        }
        drop(server);
    }
    assert!(seen >= expected.len(), "{seen} of {} were found", expected.len());
    assert!(wrong.is_empty(), "{} of {seen} differ:\n{}", wrong.len(), wrong.join("\n"));
}
