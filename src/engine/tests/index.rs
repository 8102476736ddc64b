//! The index stays in step with the store, whatever happens to it.

use super::*;
use crate::engine::check::check;
use crate::engine::events::{Nobody, Watcher};
use crate::engine::receive::indexable;
use std::fs;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn what_a_failed_commit_lost_is_caught_up_with() {
    let (alice, app) = Alice::new().await;
    arrives(&app, "one").await;
    app.indexing.commit().await.unwrap();
    arrives(&app, "two").await;
    assert_eq!(app.indexing.standing().to, 2);
    fs::rename(alice.path("index"), alice.path("elsewhere")).unwrap();
    assert!(app.indexing.commit().await.is_err());
    fs::rename(alice.path("elsewhere"), alice.path("index")).unwrap();
    let standing = app.indexing.standing();
    assert_eq!((standing.to, standing.level), (1, false));
    // A start after the failure finds the index that the database announced a successor of, and that is no alarm.
    drop(app);
    let app = alice.again().await;
    assert_eq!(app.indexing.index().position(), 1);
    app.indexing.catch_up(&app, &Nobody).await.unwrap();
    assert_eq!(count(&app, "subject:two").await, 1);
}

#[tokio::test]
async fn an_index_from_another_time_than_the_database_is_built_anew() {
    let (alice, app) = Alice::new().await;
    arrives(&app, "one").await;
    arrives(&app, "two").await;
    app.indexing.commit().await.unwrap();
    drop(app);
    alice.vault.lock().await;
    copy(&alice.path("index"), &alice.path("older"));
    let app = alice.open().await;
    assert_eq!(app.indexing.index().position(), 2, "a start is no alarm");
    for subject in ["three", "four"] {
        arrives(&app, subject).await;
        app.indexing.commit().await.unwrap();
    }
    drop(app);
    alice.vault.lock().await;
    fs::remove_dir_all(alice.path("index")).unwrap();
    fs::rename(alice.path("older"), alice.path("index")).unwrap();
    let app = alice.open().await;
    assert_eq!(app.indexing.index().position(), 0, "it was rolled back, and is begun anew");
    app.indexing.catch_up(&app, &Nobody).await.unwrap();
    assert_eq!(count(&app, "subject:two").await + count(&app, "subject:four").await, 2);
}

#[tokio::test]
async fn damage_that_a_check_finds_in_the_index_is_mended_by_a_repair() {
    let (alice, app) = Alice::new().await;
    arrives(&app, "one").await;
    app.indexing.commit().await.unwrap();
    for file in fs::read_dir(alice.path("index")).unwrap().map(|file| file.unwrap().path()) {
        if !file.ends_with("catalog") {
            flip(&file, 10);
        }
    }
    assert_eq!(check(&app, false, &Nobody).await.unwrap().damaged, 1);
    let checked = check(&app, true, &Nobody).await.unwrap();
    assert_eq!((checked.damaged, checked.repaired, checked.lost), (1, 1, 0), "{checked:?}");
    assert_eq!(count(&app, "subject:one").await, 1);
    assert_eq!(check(&app, false, &Nobody).await.unwrap().damaged, 0);
    // New mail goes into the new one, and stays there.
    arrives(&app, "two").await;
    assert_eq!(count(&app, "subject:two").await, 1);
    drop(app);
    let app = alice.again().await;
    assert_eq!((app.indexing.index().position(), count(&app, "subject:two").await), (2, 1));
}

#[tokio::test]
async fn a_batch_that_is_offered_before_an_earlier_one_waits_for_it() {
    let (_alice, app) = Alice::new().await;
    let openers = crate::engine::envelopes::Openers::new(&app);
    let documents =
        |number| vec![indexable(MessageNumber(number), 0, 1, openers.look(None, &letter("early"), &[]))];
    app.indexing.offer(documents(2)).await;
    assert!(!app.indexing.standing().level);
    assert_eq!(app.indexing.standing().to, 0);
    app.indexing.catch_up(&app, &Nobody).await.unwrap();
    app.indexing.offer(documents(1)).await;
    let standing = app.indexing.standing();
    assert_eq!((standing.to, standing.level), (1, true));
}

#[tokio::test]
async fn catching_up_ends_when_the_store_is_to_be_closed() {
    let (_alice, app) = Alice::new().await;
    let telling = crate::engine::app::Telling(&app);
    assert!(!telling.stopped());
    app.stopping.cancel();
    assert!(telling.stopped());
}
