//! Which folders an account has, and what becomes of messages that left them.

use super::{Pass, role_word};
use crate::engine::events::Event;
use crate::engine::failure::Failure;
use crate::mail::ids::MessageNumber;
use crate::mail::sma::FolderKind;
use crate::network::imap::{Folder, Session};
use crate::storage::database::accounts as table;
use crate::storage::database::{FolderRow, TagChanges, commit, displaced, messages, places, tags};
use std::collections::BTreeSet;

/// Asks for the folders, and forgets those that are gone. What lay in them alone stays here, in the archive.
pub(super) async fn list(pass: &mut Pass<'_>, session: &mut Session) -> Result<Vec<FolderRow>, Failure> {
    // What devices write to each other is no mail.
    let is_mail = |f: &Folder| f.selectable && FolderKind::of(&f.name, f.delimiter).is_none();
    let listed: Vec<Folder> = session.folders().await?.into_iter().filter(is_mail).collect();
    let app = pass.app;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let before = table::folders(&mut c, Some(pass.account.id)).await?;
    let mut moved_role = BTreeSet::new();
    let mut rows = Vec::new();
    for folder in &listed {
        let role = role_word(folder.role);
        if let Some(known) = before.iter().find(|b| b.raw_name == folder.raw_name).filter(|b| b.role != role)
        {
            moved_role.insert(known.id);
        }
        rows.push(table::put_folder(&mut c, pass.account.id, &folder.name, &folder.raw_name, role).await?);
    }
    let mut touched = BTreeSet::new();
    let alive = tags::bitmap(&mut c, tags::ALL).await?;
    let mut mirrored = TagChanges::default();
    for gone in before.iter().filter(|b| !listed.iter().any(|l| l.raw_name == b.raw_name)) {
        tracing::info!(folder.id = %gone.id, "A folder is gone from the server");
        let uids = places::uids(&mut c, gone.id).await?;
        // It may only have got another name.
        let numbers = places::remove(&mut c, gone.id, &uids, true).await?;
        table::remove_folder(&mut c, gone.id).await?;
        for number in places::homeless(&mut c, &numbers).await? {
            if alive.contains(number.0) {
                messages::set_role(&mut c, number, "archive").await?;
                mirrored.set(tags::LEFT, number);
            }
        }
        touched.extend(numbers);
    }
    for folder in moved_role {
        let uids: Vec<u32> = places::uids(&mut c, folder).await?.iter().collect();
        for some in uids.chunks(5000) {
            touched.extend(places::by_uids(&mut c, folder, some).await?.into_iter().map(|p| p.message));
        }
    }
    places::mirror(&mut c, &touched, &mut mirrored).await?;
    tags::apply(&mut c, &mirrored).await?;
    commit(c).await?;
    Ok(rows)
}

/// After a pass that saw every folder of the account: messages that lost a place there, that no server holds any more and
/// that lie nowhere here either, were deleted elsewhere. They go to the trash here, where nothing is lost before the owner
/// says so. Those that the owner deleted for ever go for good.
pub(super) async fn settle(pass: &Pass<'_>) -> Result<(), Failure> {
    let (app, account) = (pass.app, pass.account.id);
    let numbers = displaced::of_account(&mut *app.reader.get().await?, account).await?;
    for some in numbers.chunks(2000) {
        let writer = app.writer.lock().await;
        let mut c = writer.begin().await?;
        let alive = tags::bitmap(&mut c, tags::ALL).await?;
        let (living, dead): (Vec<_>, Vec<_>) = some.iter().partition(|n| alive.contains(n.0));
        let mut mirrored = TagChanges::default();
        for (number, role) in displaced::placeless(&mut c, account, &living, false).await? {
            if role.is_empty() {
                messages::set_role(&mut c, number, "trash").await?;
                mirrored.set(tags::LEFT, number);
            }
        }
        places::mirror(&mut c, &living.iter().copied().collect(), &mut mirrored).await?;
        tags::apply(&mut c, &mirrored).await?;
        let gone: BTreeSet<MessageNumber> =
            displaced::placeless(&mut c, account, &dead, true).await?.into_iter().map(|(n, _)| n).collect();
        let over: Vec<MessageNumber> = some.iter().copied().filter(|n| !gone.contains(n)).collect();
        displaced::settled(&mut c, account, &over).await?;
        commit(c).await?;
    }
    let stranded = displaced::stranded(&mut *app.reader.get().await?, account).await?;
    crate::engine::tags::sweep(app, &stranded).await?;
    if !numbers.is_empty() {
        app.tell(Event::Tags { words: "The server moved or removed messages".into() });
    }
    Ok(())
}
