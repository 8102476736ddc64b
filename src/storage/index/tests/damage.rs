//! Damage of every kind is found, and never shows as wrong answers.

use super::*;
use std::fs;

fn filled(alice: &Alice) {
    let index = alice.open();
    let mut body = String::new();
    for number in 1..=300_u32 {
        // Words enough that the larger files have several pages.
        body.clear();
        for n in 0..200_u32 {
            body.push_str(&format!("w{:x} ", (number * 977 + n * 131) % 9_000));
        }
        let message = Message {
            number,
            date: i64::from(number),
            subject: format!("Letter {number} to Bob"),
            from: vec![person("Alice", "alice@lab.test")],
            body: body.clone(),
            ..Message::default()
        };
        add(&index, &[message]);
    }
    index.commit().unwrap();
}

/// What is found, as one value that any wrong answer would change.
fn answers(index: &Index) -> Result<Vec<u32>, IndexError> {
    let mut numbers = Vec::new();
    let prefix = Leaf::Text { field: crate::mail::query::TextField::Body, text: "w1f".into(), prefix: true };
    let queries = [
        anywhere("letter"),
        anywhere("w3e8 w46b"),
        anywhere("alice"),
        anywhere("w7d0"),
        Query::Leaf(prefix),
        Query::All,
    ];
    for order in [Order::Newest, Order::Relevance] {
        for query in &queries {
            let found = index.search(query, &no_sets, &everybody(), order, 0, 50)?;
            numbers.push(found.total as u32);
            numbers.extend(found.numbers.iter().map(|number| number.0));
        }
    }
    Ok(numbers)
}

#[test]
fn a_flipped_bit_anywhere_is_damage_and_never_a_wrong_answer() {
    let alice = Alice::new();
    filled(&alice);
    let expected = answers(&alice.open()).unwrap();
    assert!(expected.len() > 100);
    let mut found = 0;
    for path in alice.files() {
        let good = fs::read(&path).unwrap();
        let pages = good.len().div_ceil(32 * 1024 + 16);
        for page in 0..pages {
            let mut bad = good.clone();
            let at = (page * (32 * 1024 + 16) + 5).min(good.len() - 1);
            bad[at] ^= 4;
            fs::write(&path, &bad).unwrap();
            match alice.try_open().and_then(|index| answers(&index)) {
                // A page that nothing asked for.
                Ok(answers) => assert_eq!(answers, expected),
                Err(IndexError::Damaged) => found += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(found >= 7, "{found}");
    assert_eq!(answers(&alice.open()).unwrap(), expected);
}

#[test]
fn verifying_opens_every_page() {
    let alice = Alice::new();
    filled(&alice);
    alice.open().verify().unwrap();
    for path in alice.files().iter().filter(|path| !path.ends_with("catalog")) {
        let good = fs::read(path).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        // One that is open already, with pages in its cache, looks at the disk too.
        let index = alice.open();
        answers(&index).unwrap();
        fs::write(path, &bad).unwrap();
        assert!(matches!(index.verify(), Err(IndexError::Damaged)), "{path:?}");
        fs::write(path, &good).unwrap();
    }
    alice.open().verify().unwrap();
}

#[test]
fn a_commit_keeps_its_sign_also_over_a_merge_and_an_older_index_has_an_older_one() {
    let alice = Alice::new();
    let index = alice.open();
    assert_eq!(index.sign(), None);
    add(&index, &[Message { number: 1, ..Message::default() }]);
    index.sign_next("first");
    assert_eq!(index.sign(), None, "nothing is committed yet");
    index.commit().unwrap();
    add(&index, &[Message { number: 2, ..Message::default() }]);
    index.sign_next("second");
    index.commit().unwrap();
    index.delete(&[MessageNumber(1)]).unwrap();
    index.purge_deleted().unwrap();
    drop(index);
    let index = alice.open();
    assert_eq!((index.sign().as_deref(), index.position()), (Some("second"), 2));
}

#[test]
fn files_cut_lengthened_swapped_or_gone_are_damage() {
    let alice = Alice::new();
    filled(&alice);
    let expected = answers(&alice.open()).unwrap();
    let files = alice.files();
    let largest = files.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let other = files.iter().find(|path| *path != largest && !path.ends_with("catalog")).unwrap();
    let good = fs::read(largest).unwrap();
    let catalog = alice.path().join("catalog");
    let is_damaged =
        || matches!(alice.try_open().and_then(|index| answers(&index)), Err(IndexError::Damaged));

    fs::write(largest, &good[..32 * 1024 + 16]).unwrap();
    assert!(is_damaged(), "cut at a page");
    fs::write(largest, [good.as_slice(), &good[..32 * 1024 + 16]].concat()).unwrap();
    assert!(is_damaged(), "lengthened");
    let mut swapped = good.clone();
    let (first, second) = (&good[..32 * 1024 + 16], &good[32 * 1024 + 16..2 * (32 * 1024 + 16)]);
    swapped[..32 * 1024 + 16].copy_from_slice(second);
    swapped[32 * 1024 + 16..2 * (32 * 1024 + 16)].copy_from_slice(first);
    fs::write(largest, &swapped).unwrap();
    assert!(is_damaged(), "pages swapped");
    fs::copy(other, largest).unwrap();
    assert!(is_damaged(), "another file in its place");
    fs::remove_file(largest).unwrap();
    assert!(is_damaged(), "gone");
    fs::write(largest, &good).unwrap();
    assert_eq!(answers(&alice.open()).unwrap(), expected);
    let sealed = fs::read(&catalog).unwrap();
    for cut in [0, 1, 40, sealed.len() - 1] {
        fs::write(&catalog, &sealed[..cut]).unwrap();
        assert!(is_damaged(), "catalog cut");
    }
}

#[test]
fn a_damaged_index_is_wiped_and_built_anew() {
    let alice = Alice::new();
    filled(&alice);
    let expected = answers(&alice.open()).unwrap();
    fs::write(alice.path().join("catalog"), b"noise").unwrap();
    assert!(matches!(alice.try_open(), Err(IndexError::Damaged)));
    Index::wipe(&alice.path()).unwrap();
    assert!(alice.files().is_empty());
    assert_eq!(alice.open().position(), 0);
    filled(&alice);
    assert_eq!(answers(&alice.open()).unwrap(), expected);
    Index::wipe(&alice.dir.path().join("nothing here")).unwrap();
}

#[test]
fn nothing_readable_is_left_in_any_file() {
    let alice = Alice::new();
    let index = alice.open();
    let words = ["zeppelinfahrt", "quokkafarm", "xylophonist", "bumfuzzled"];
    for number in 1..=50 {
        let message = Message {
            number,
            subject: words[0].into(),
            body: words[1].repeat(3) + " " + words[1],
            from: vec![person(words[2], "xylophonist@quokkafarm.test")],
            filenames: vec![format!("{}.pdf", words[3])],
            headers: vec![("x-quokkafarm".into(), words[3].into())],
            ..Message::default()
        };
        add(&index, &[message]);
        if number % 10 == 0 {
            index.commit().unwrap();
        }
    }
    // Killed in the middle of it.
    std::mem::forget(index);
    for path in alice.files() {
        let bytes = fs::read(&path).unwrap();
        for word in words.iter().copied().chain(["alice", "segment", "schema", "meta.json", "body", ".term"])
        {
            let is_there =
                bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()));
            assert!(!is_there, "{word} in {path:?}");
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == "catalog" || (name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())));
    }
}
