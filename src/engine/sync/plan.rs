//! What to do, given what the server has and what is known here. Pure: sets in, sets out.

use crate::storage::database::skipped::Refused;
use roaring::RoaringBitmap;

/// In which order folders are looked at: where people look first, comes first.
pub(super) fn urgency(role: &str) -> u8 {
    match role {
        "inbox" => 0,
        "draft" => 1,
        "sent" => 2,
        "" => 3,
        "archive" => 4,
        "all" => 5,
        "trash" => 6,
        _ => 7,
    }
}

/// What a folder needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// UIDs to fetch: newest first, and last those that were refused before and are due again, so that they keep no
    /// other one waiting.
    pub(super) fetch: Vec<u32>,
    /// Known UIDs that are gone.
    pub(super) gone: RoaringBitmap,
    /// Skipped and refused UIDs that are gone.
    pub(super) stale: Vec<u32>,
    /// Refused ones that are not asked for this time.
    pub(super) waiting: Vec<Refused>,
}

/// Compares the UIDs on the server with those known here; `skipped` ones are not asked for again, `refused` ones when they
/// are due.
pub(super) fn plan(
    server: &RoaringBitmap,
    known: &RoaringBitmap,
    skipped: &RoaringBitmap,
    refused: &[Refused],
    now: i64,
) -> Plan {
    let named: RoaringBitmap = refused.iter().map(|one| one.uid).collect();
    let mut fetch: Vec<u32> = (server - known - skipped - &named).iter().rev().collect();
    let there = refused.iter().rev().filter(|one| server.contains(one.uid) && !known.contains(one.uid));
    let (due, waiting): (Vec<Refused>, Vec<Refused>) = there.copied().partition(|one| one.due_at <= now);
    let mut due = due;
    due.sort_by_key(|one| one.attempts);
    fetch.extend(due.into_iter().map(|one| one.uid));
    let stale = ((skipped | named) - (server - known)).iter().collect();
    Plan { fetch, gone: known - server, stale, waiting }
}

/// How often a message is refused before it counts as one that stays so.
pub(super) const STAYS_REFUSED: u32 = 5;

/// How long after the attempts made so far a refused message is asked for again, in seconds: at once after the first, then
/// at distances that double up to six hours.
pub(super) fn patience(attempts: u32) -> i64 {
    if attempts <= 1 { 0 } else { (60_i64 << attempts.min(10)).min(6 * 3600) }
}

/// Cuts messages into batches, by how many and how many bytes, without cutting the order.
pub(super) fn batches<T>(items: Vec<T>, size: impl Fn(&T) -> u64, most: usize, bytes: u64) -> Vec<Vec<T>> {
    let mut all: Vec<Vec<T>> = Vec::new();
    let (mut current, mut weight) = (Vec::new(), 0_u64);
    for item in items {
        let own = size(&item);
        if !current.is_empty() && (current.len() >= most || weight.saturating_add(own) > bytes) {
            all.push(std::mem::take(&mut current));
            weight = 0;
        }
        weight = weight.saturating_add(own);
        current.push(item);
    }
    if !current.is_empty() {
        all.push(current);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: impl IntoIterator<Item = u32>) -> RoaringBitmap {
        numbers.into_iter().collect()
    }

    #[test]
    fn the_newest_come_first_and_what_is_known_is_not_fetched_again() {
        let plan = plan(&set([1, 2, 5, 9, 12]), &set([2, 3]), &set([9]), &[], 0);
        assert_eq!(plan.fetch, [12, 5, 1]);
        assert_eq!(plan.gone, set([3]));
        assert!(plan.stale.is_empty() && plan.waiting.is_empty());
    }

    #[test]
    fn what_was_refused_comes_last_and_when_it_is_due() {
        let refused = |uid, attempts, due_at| Refused { uid, attempts, due_at };
        let all = [refused(3, 4, 90), refused(5, 1, 100), refused(7, 2, 200), refused(8, 9, 50)];
        let plan = plan(&set([1, 2, 3, 5, 7, 9]), &set([1]), &set([4, 9]), &all, 100);
        assert_eq!(plan.fetch, [2, 5, 3]);
        assert_eq!(plan.waiting, [all[2]]);
        assert_eq!(plan.stale, [4, 8], "the server has them no more");
    }

    #[test]
    fn patience_grows_to_hours_and_no_further() {
        assert_eq!([1, 2, 3, 4].map(patience), [0, 240, 480, 960]);
        assert!((2..40).all(|attempts| patience(attempts) <= patience(attempts + 1)));
        assert_eq!(patience(u32::MAX), 6 * 3600);
    }

    #[test]
    fn a_batch_ends_at_its_bytes_but_never_without_a_message() {
        let cut = batches(vec![10, 1, 1, 50, 1], |n| *n, 3, 12);
        assert_eq!(cut, [vec![10, 1, 1], vec![50], vec![1]]);
        assert_eq!(batches(vec![1; 7], |_| 1, 3, 100).len(), 3);
    }
}
