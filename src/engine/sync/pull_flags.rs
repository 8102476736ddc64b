//! From the server: flags, and keywords as tags.

use super::Pass;
use super::pull::Broken;
use crate::engine::failure::Failure;
use crate::engine::flags;
use crate::mail::ids::{ModSeq, Uid};
use crate::network::imap::{Flags, Session, UidRange};
use crate::storage::database::{FolderRow, TagChanges, commit, places, tags};
use roaring::RoaringBitmap;
use std::collections::{BTreeSet, HashMap};

/// How many known messages are asked for their flags at a time.
const FLAGS_AT_A_TIME: usize = 50_000;

/// Flags as bits, and keywords in one string.
pub(super) fn bits(flags: &Flags) -> (u8, String) {
    let bit = |on: bool, bit: u8| if on { bit } else { 0 };
    let all = bit(flags.seen, flags::SEEN)
        | bit(flags.flagged, flags::FLAGGED)
        | bit(flags.answered, flags::ANSWERED)
        | bit(flags.draft, flags::DRAFT)
        | bit(flags.deleted, flags::DELETED);
    let keywords: BTreeSet<&str> = flags.keywords.iter().map(String::as_str).collect();
    (all, keywords.into_iter().collect::<Vec<_>>().join(" "))
}

/// Takes over what the server changed of the flags and keywords of known messages.
pub(super) async fn refresh_flags(
    pass: &mut Pass<'_>,
    session: &mut Session,
    folder: &FolderRow,
    known: &RoaringBitmap,
) -> Result<(), Broken> {
    let since = (folder.highest_modseq > 0).then_some(ModSeq(folder.highest_modseq));
    let uids: Vec<u32> = known.iter().collect();
    for some in uids.chunks(FLAGS_AT_A_TIME) {
        let (Some(first), Some(last)) = (some.first(), some.last()) else { continue };
        let states = session.flags(UidRange { first: Uid(*first), last: Uid(*last) }, since).await?;
        let now: HashMap<u32, (u8, String)> =
            states.iter().filter(|s| known.contains(s.uid.0)).map(|s| (s.uid.0, bits(&s.flags))).collect();
        take_flags(pass, folder, &now).await?;
    }
    Ok(())
}

async fn take_flags(
    pass: &mut Pass<'_>,
    folder: &FolderRow,
    now: &HashMap<u32, (u8, String)>,
) -> Result<(), Failure> {
    let uids: Vec<u32> = now.keys().copied().collect();
    for some in uids.chunks(2000) {
        let writer = pass.app.writer.lock().await;
        let mut c = writer.begin().await?;
        let mut changes = TagChanges::default();
        let mut elsewhere = Vec::new();
        let mut lies_otherwise = BTreeSet::new();
        for place in places::by_uids(&mut c, folder.id, some).await? {
            let Some((flags, keywords)) = now.get(&place.uid.0) else { continue };
            if *flags == place.flags && *keywords == place.keywords {
                continue;
            }
            for (tag, bit, on) in flags::MIRRORED {
                if (flags ^ place.flags) & bit != 0 {
                    changes.put(tag, place.message, (flags & bit != 0) == on);
                }
            }
            let (before, after) = (words(&place.keywords), words(keywords));
            before
                .difference(&after)
                .filter_map(|k| flags::own_tag(k))
                .for_each(|t| changes.clear(&t, place.message));
            after
                .difference(&before)
                .filter_map(|k| flags::own_tag(k))
                .for_each(|t| changes.set(&t, place.message));
            if (flags ^ place.flags) & flags::DELETED != 0 {
                lies_otherwise.insert(place.message);
            }
            places::set_flags(&mut c, folder.id, place.uid, *flags, keywords).await?;
            elsewhere.push(place.message);
            pass.done.flags_pulled += 1;
        }
        places::mirror(&mut c, &lies_otherwise, &mut changes).await?;
        tags::apply(&mut c, &changes).await?;
        // The same message in another place gets the same flags at the next push.
        places::note_changed(&mut c, &elsewhere).await?;
        commit(c).await?;
    }
    Ok(())
}

fn words(keywords: &str) -> BTreeSet<&str> {
    keywords.split(' ').filter(|k| !k.is_empty()).collect()
}
