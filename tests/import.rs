//! Import and export: mbox, Maildir, single messages, folders of these; the same bytes come out again.

use crate::support::World;
use crate::support::mail::{lf, mbox, plain, with_attachment};
use std::collections::BTreeSet;
use std::path::Path;

const BOB: &str = "Bob <bob@lab.test>";
const ALICE: &str = "Alice <alice@lab.test>";

fn letter(subject: &str) -> Vec<u8> {
    lf(&plain(BOB, ALICE, subject, "Hello Alice,\r\nall is well.\r\n\r\nBob"))
}

fn sample() -> Vec<Vec<u8>> {
    vec![
        letter("one"),
        lf(&with_attachment(BOB, ALICE, "two", "see the plan", "plan.pdf", "%PDF-1.4 plan")),
        lf(&plain(
            BOB,
            ALICE,
            "three",
            "From here on it is quoted.\r\n>From there too.\r\n>>From everywhere\r\nfrom nowhere",
        )),
        b"Subject: no end of line".to_vec(),
        b"Subject: raw bytes\n\n\x80\xff\xfe \xc3\x28\n".to_vec(),
    ]
}

fn stored(world: &World) -> BTreeSet<Vec<u8>> {
    world.ids("*").iter().map(|id| world.raw(id)).collect()
}

#[test]
fn an_mbox_comes_in_and_a_second_time_brings_nothing_new() {
    let world = World::new();
    let messages: Vec<Vec<u8>> = sample().into_iter().filter(|m| m.ends_with(b"\n")).collect();
    let path = world.file("box", mbox(&messages));
    let first = world.ok(&["import", &path, "--tag", "from-box"]);
    assert_eq!(first["messages"], 4, "{first}");
    assert_eq!(first["failed"], 0, "{first}");
    assert_eq!(stored(&world), messages.iter().cloned().collect());
    assert_eq!(world.count("tag:from-box"), 4);
    let second = world.ok(&["import", &path]);
    assert_eq!((&second["messages"], &second["duplicates"]), (&0.into(), &4.into()), "{second}");
    assert_eq!(world.count("*"), 4);
}

#[test]
fn an_mbox_in_dos_style_keeps_its_bytes() {
    let world = World::new();
    let text = "From a Fri May 17 09:30:00 2024\r\nSubject: dos\r\n\r\nbody\r\n>From x\r\n\r\nFrom b Fri May 17 09:30:00 2024\r\nSubject: two\r\n\r\nb\r\n";
    world.ok(&["import", &world.file("dos", text)]);
    let wanted: BTreeSet<Vec<u8>> =
        [b"Subject: dos\r\n\r\nbody\r\nFrom x\r\n".to_vec(), b"Subject: two\r\n\r\nb\r\n".to_vec()].into();
    assert_eq!(stored(&world), wanted);
}

#[test]
fn a_single_message_is_kept_byte_for_byte() {
    let world = World::new();
    let odd = b"From bob Fri May 17 09:30:00 2024\nSubject: saved by hand\n\nFrom the start.\n".to_vec();
    world.ok(&["import", &world.file("odd.eml", &odd)]);
    let lone = letter("no ending in its name");
    world.ok(&["import", &world.file("lone", &lone)]);
    assert_eq!(stored(&world), [odd, lone].into());
    assert_eq!(world.count("subject:\"saved by hand\""), 1);
}

#[test]
fn a_maildir_and_a_folder_of_everything_are_walked() {
    let world = World::new();
    let all = sample();
    for folder in [
        "tree/Maildir/cur",
        "tree/Maildir/new",
        "tree/Maildir/tmp",
        "tree/Maildir/.Sub/cur",
        "tree/Maildir/.Sub/new",
    ] {
        std::fs::create_dir_all(world.path(folder)).unwrap();
    }
    world.file("tree/Maildir/cur/1.a.host:2,FS", &all[0]);
    world.file("tree/Maildir/new/2.b.host", &all[1]);
    world.file("tree/Maildir/tmp/3.c.host", b"Subject: half written\n\n");
    world.file("tree/Maildir/.Sub/cur/4.d.host:2,", &all[2]);
    world.file("tree/letters/five.eml", &all[4]);
    world.file("tree/boxes/six", mbox(&[letter("six"), letter("seven")]));
    let done = world.ok(&["import", world.path("tree").to_str().unwrap()]);
    assert_eq!(done["messages"], 6, "{done}");
    assert_eq!(world.count("subject:\"half written\""), 0, "what a Maildir has not finished is not mail");
    assert_eq!(world.count("is:unread subject:one"), 0, "S is seen");
    assert_eq!(world.count("is:starred subject:one"), 1, "F is flagged");
    assert_eq!(world.count("is:unread subject:two"), 1);
}

#[test]
fn what_is_no_mail_counts_as_failed_and_the_rest_comes_in() {
    let world = World::new();
    let picture =
        world.file("mixed/picture.jpg", [0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0]);
    world.file("mixed/empty.eml", "");
    world.file("mixed/good.eml", letter("good"));
    let done = world.ok(&["import", world.path("mixed").to_str().unwrap()]);
    assert_eq!(done["messages"], 1, "{done}");
    assert_eq!(done["failed"], 2, "{done}");
    let said = world.fails(1, &["import", &picture]);
    assert!(said.contains("picture.jpg"), "{said}");
    let said = world.fails(1, &["import", "/nowhere/at/all"]);
    assert!(said.contains("/nowhere/at/all"), "{said}");
    let nothing = world.run_json(&["import", &picture]).json();
    assert_eq!((&nothing["messages"], &nothing["failed"]), (&0.into(), &1.into()), "it is told as JSON, too");
    let other = world.file("other.eml", letter("other"));
    let done = world.ok(&["import", "/nowhere/at/all", &other]);
    assert_eq!((&done["messages"], &done["failed"]), (&1.into(), &1.into()), "{done}");
    assert_eq!(world.count("*"), 2);
}

#[test]
fn mail_of_an_archive_is_as_old_as_it_says() {
    let world = World::new();
    let dated = |subject: &str, date: &str| {
        format!("From: {BOB}\nTo: {ALICE}\nSubject: {subject}\n{date}\n\nhello\n")
    };
    // Public archives open every message with a line that holds no time at all, others with one that is hours off.
    let archive = format!(
        "From mboxrd@z Thu Jan  1 00:00:00 1970\n{}\nFrom bob@lab.test Tue May  3 00:00:00 2022\n{}\n\
         From bob@lab.test Wed May  4 00:00:00 2022\n{}\n",
        dated("nobody's time", "Date: Tue, 22 Jan 2019 12:56:25 +0100"),
        dated("another zone", "Date: Tue, 03 May 2022 10:00:00 +0000"),
        dated("no date", "X-Nothing: here"),
    );
    assert_eq!(world.ok(&["import", &world.file("archive", archive)])["messages"], 3);
    let date = |subject: &str| {
        world.ok(&["search", &format!("subject:\"{subject}\"")])["messages"][0]["date"].clone()
    };
    assert_eq!(date("nobody's time"), "2019-01-22T11:56:25Z");
    assert_eq!(date("another zone"), "2022-05-03T10:00:00Z");
    assert_eq!(date("no date"), "2022-05-04T00:00:00Z");
    assert_eq!(world.count("date:2019-01-22"), 1);
}

#[test]
fn what_goes_out_comes_in_again_byte_for_byte() {
    let world = World::new();
    let all: Vec<Vec<u8>> = sample();
    for (n, message) in all.iter().enumerate() {
        world.ok(&["import", &world.file(&format!("in/{n}.eml"), message)]);
    }
    for format in ["mbox", "maildir", "eml"] {
        let out = world.path(&format!("out-{format}"));
        let done = world.ok(&["export", out.to_str().unwrap(), "--format", format]);
        assert_eq!(done["messages"], 5, "{format}: {done}");
        let back = World::new();
        back.ok(&["import", out.to_str().unwrap()]);
        let (here, there) = (stored(&world), stored(&back));
        // An mbox ends every message with a line end; nothing else may differ.
        let ended = |set: BTreeSet<Vec<u8>>| -> BTreeSet<Vec<u8>> {
            set.into_iter()
                .map(|m| if m.ends_with(b"\n") { m } else { [m, b"\n".to_vec()].concat() })
                .collect()
        };
        if format == "mbox" {
            assert!(ended(here) == ended(there), "mbox does not come back the same");
        } else {
            assert!(here == there, "{format} does not come back the same");
        }
    }
}

#[test]
fn an_export_takes_what_a_query_finds_and_overwrites_nothing() {
    let world = World::new();
    for subject in ["wanted", "unwanted"] {
        world.ok(&["import", &world.file(&format!("{subject}.eml"), letter(subject))]);
    }
    let out = world.path("out.mbox");
    let done = world.ok(&["export", out.to_str().unwrap(), "--format", "mbox", "--query", "subject:wanted"]);
    assert_eq!(done["messages"], 1);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.starts_with("From ") && text.contains("Subject: wanted\n"));
    assert!(mode(&out) & 0o077 == 0, "an export is nobody else's business");
    let said = world.fails(1, &["export", out.to_str().unwrap(), "--format", "mbox"]);
    assert!(said.contains("out.mbox"), "{said}");
    world.fails(2, &["export", world.path("x").to_str().unwrap(), "--format", "mbox", "--query", "(wanted"]);
    assert!(!world.path("x").exists());
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode()
}
