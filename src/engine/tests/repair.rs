//! What a repair mends, and what it must never throw away.

use super::*;
use crate::engine::check::check;
use crate::engine::events::Nobody;
use crate::engine::export::{Format, export};
use crate::engine::{restore, settings, snapshots};
use crate::storage::database::{self, commit};
use crate::storage::packs::{Prepared, RecordMeta};
use std::fs;

#[tokio::test]
async fn a_disk_with_packs_that_is_away_ends_the_repair_and_drops_nothing() {
    let (alice, app) = Alice::new().await;
    for subject in ["one", "two", "three"] {
        arrives(&app, subject).await;
    }
    drop(app);
    alice.vault.lock().await;
    fs::rename(alice.path("packs"), alice.path("elsewhere")).unwrap();
    let app = alice.open().await;
    let said = check(&app, true, &Nobody).await.unwrap_err().to_string();
    assert!(said.contains("mounted"), "{said}");
    // What comes meanwhile is given a number that those away do not have.
    let meanwhile = arrives(&app, "meanwhile").await;
    assert_eq!(row(&app, meanwhile).await.unwrap().place.pack, 2);
    drop(app);
    alice.vault.lock().await;
    for file in fs::read_dir(alice.path("elsewhere")).unwrap().map(|file| file.unwrap()) {
        fs::rename(file.path(), alice.path("packs").join(file.file_name())).unwrap();
    }
    let app = alice.open().await;
    let checked = check(&app, true, &Nobody).await.unwrap();
    assert_eq!((checked.messages, checked.damaged, checked.lost), (4, 0, 0), "{checked:?}");
    assert_eq!(count(&app, "tag:orchard").await, 4);
}

#[tokio::test]
async fn key_tables_that_cannot_be_opened_just_now_end_the_repair_too() {
    let (alice, app) = Alice::new().await;
    arrives(&app, "one").await;
    drop(app);
    alice.vault.lock().await;
    let tables = ["keys", "keys2"].map(|name| alice.path(&format!("packs/00000001.{name}")));
    for table in &tables {
        fs::copy(table, table.with_extension("kept")).unwrap();
        fs::remove_file(table).unwrap();
        // A link to itself is refused before a byte is read, as when too many files are open.
        std::os::unix::fs::symlink(table, table).unwrap();
    }
    let kept = fs::read(tables[0].with_extension("kept")).unwrap();
    let app = alice.open().await;
    assert!(check(&app, true, &Nobody).await.is_err());
    assert_eq!(count(&app, "tag:orchard").await, 1);
    drop(app);
    alice.vault.lock().await;
    for table in &tables {
        fs::remove_file(table).unwrap();
        fs::write(table, &kept).unwrap();
    }
    assert_eq!(check(&alice.open().await, false, &Nobody).await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_damaged_message_of_which_the_packs_hold_a_second_record_is_pointed_there() {
    let (alice, app) = Alice::new().await;
    let number = arrives(&app, "twice").await;
    let gone = arrives(&app, "once").await;
    let second = Prepared::new(&RecordMeta::default(), &letter("twice")).unwrap();
    app.packs.append_prepared(vec![second]).unwrap();
    for number in [number, gone] {
        flip(&pack(&alice), row(&app, number).await.unwrap().place.offset as usize + 20);
    }
    let checked = check(&app, true, &Nobody).await.unwrap();
    assert_eq!((checked.damaged, checked.repaired, checked.lost), (2, 1, 1), "{checked:?}");
    let mended = row(&app, number).await.unwrap();
    assert_eq!(app.packs.read(mended.place).unwrap().raw, letter("twice"));
    assert_eq!(count(&app, "tag:orchard").await, 1, "its tags are as they were");
    assert_eq!(check(&app, false, &Nobody).await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_damaged_database_is_put_aside_with_its_log_until_a_check_finds_all_well() {
    let (alice, app) = Alice::new().await;
    arrives(&app, "kept").await;
    snapshots::make(&app).await.unwrap();
    drop(app);
    alice.vault.lock().await;
    let mut bytes = fs::read(alice.path("database")).unwrap();
    bytes[..4096].fill(9);
    fs::write(alice.path("database"), &bytes).unwrap();
    fs::write(alice.path("database-wal"), b"the last commits").unwrap();
    let said = restore::mend_database(&alice.vault, &alice.words).await.unwrap().unwrap();
    assert!(said.contains("newest snapshot"), "{said}");
    let app = alice.open().await;
    assert_eq!(check(&app, true, &Nobody).await.unwrap().damaged, 0);
    assert_eq!(fs::read(alice.path("database.damaged")).unwrap(), bytes);
    assert_eq!(fs::read(alice.path("database.damaged-wal")).unwrap(), b"the last commits");
    assert_eq!(count(&app, "tag:orchard").await, 1);
    check(&app, false, &Nobody).await.unwrap();
    assert!(!alice.path("database.damaged").exists() && !alice.path("database.damaged-wal").exists());
}

#[tokio::test]
async fn a_repair_that_broke_off_between_database_and_log_goes_on() {
    let (alice, app) = Alice::new().await;
    arrives(&app, "kept").await;
    snapshots::make(&app).await.unwrap();
    drop(app);
    alice.vault.lock().await;
    fs::rename(alice.path("database"), alice.path("database.damaged")).unwrap();
    fs::write(alice.path("database-wal"), b"the last commits").unwrap();
    restore::mend_database(&alice.vault, &alice.words).await.unwrap().unwrap();
    assert_eq!(fs::read(alice.path("database.damaged-wal")).unwrap(), b"the last commits");
    assert_eq!(count(&alice.open().await, "tag:orchard").await, 1);
}

#[tokio::test]
async fn a_list_of_snapshots_that_does_not_open_is_never_written_over_unasked() {
    let (alice, app) = Alice::new().await;
    arrives(&app, "one").await;
    snapshots::make(&app).await.unwrap();
    flip(&alice.path("snapshots/list"), 50);
    assert_eq!(check(&app, false, &Nobody).await.unwrap().damaged, 1);
    snapshots::make(&app).await.unwrap();
    assert_eq!(check(&app, false, &Nobody).await.unwrap().damaged, 0, "mended from its copy");
    for name in ["snapshots/list", "snapshots/list.copy"] {
        flip(&alice.path(name), 50);
    }
    let broken = fs::read(alice.path("snapshots/list")).unwrap();
    assert!(snapshots::make(&app).await.is_err());
    assert_eq!(fs::read(alice.path("snapshots/list")).unwrap(), broken);
    assert!(check(&app, true, &Nobody).await.unwrap().repaired > 0);
    assert_eq!(check(&app, false, &Nobody).await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_check_reads_snapshots_and_second_key_tables_too() {
    let (alice, app) = Alice::new().await;
    arrives(&app, "one").await;
    snapshots::renew(&app).await.unwrap();
    let is_list = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("list");
    let mut files: Vec<_> =
        fs::read_dir(alice.path("snapshots")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| !is_list(path));
    assert_eq!(files.len(), 1, "what no list names is swept away");
    flip(&files[0], 9000);
    flip(&alice.path("packs/00000001.keys2"), 60);
    let checked = check(&app, false, &Nobody).await.unwrap();
    assert_eq!(checked.damaged, 2, "{checked:?}");
    let checked = check(&app, true, &Nobody).await.unwrap();
    assert_eq!((checked.damaged, checked.repaired), (2, 2), "{checked:?}");
    assert_eq!(check(&app, false, &Nobody).await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_store_opens_without_the_file_of_its_extra_ca_and_says_so() {
    let (alice, app) = Alice::new().await;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await.unwrap();
    database::settings::set(&mut c, "extra-ca", "/nowhere/ca.pem").await.unwrap();
    commit(c).await.unwrap();
    drop(writer);
    drop(app);
    let app = alice.again().await;
    let said = app.health.lock().unwrap()["Certificates"].clone();
    assert!(said.contains("/nowhere/ca.pem"), "{said}");
    settings::set(&app, "extra-ca", "").await.unwrap();
    assert!(app.health.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_export_goes_on_after_a_damaged_message_and_names_it() {
    let (alice, app) = Alice::new().await;
    let number = arrives(&app, "damaged").await;
    arrives(&app, "whole").await;
    flip(&pack(&alice), row(&app, number).await.unwrap().place.offset as usize + 20);
    let path = alice.home.path().join("out.mbox");
    let exported = export(&app, &path, Format::Mbox, "*", &Nobody).await.unwrap();
    assert_eq!((exported.messages, exported.failed, exported.failures.len()), (1, 1, 1));
    assert!(fs::read_to_string(path).unwrap().contains("Subject: whole"));
}

#[tokio::test]
async fn what_a_repair_took_in_does_not_make_every_start_read_the_packs_from_there() {
    let (_alice, app) = Alice::new().await;
    let first = arrives(&app, "first").await;
    let second = arrives(&app, "second").await;
    let (early, late) = (row(&app, first).await.unwrap().place, row(&app, second).await.unwrap().place);
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await.unwrap();
    messages::set_record(&mut c, first, late).await.unwrap();
    messages::set_record(&mut c, second, early).await.unwrap();
    assert_eq!(messages::last_record(&mut c).await.unwrap(), Some(late));
}
