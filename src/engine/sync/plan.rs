//! What to do, given what the server has and what is known here. Pure: sets in, sets out.

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
    /// UIDs to fetch, newest first.
    pub(super) fetch: Vec<u32>,
    /// UIDs that are gone.
    pub(super) gone: RoaringBitmap,
}

/// Compares the UIDs on the server with those known here; `skipped` ones are not asked for again.
pub(super) fn plan(server: &RoaringBitmap, known: &RoaringBitmap, skipped: &RoaringBitmap) -> Plan {
    let fetch: Vec<u32> = (server - known - skipped).iter().rev().collect();
    Plan { fetch, gone: known - server }
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
        let plan = plan(&set([1, 2, 5, 9, 12]), &set([2, 3]), &set([9]));
        assert_eq!(plan.fetch, [12, 5, 1]);
        assert_eq!(plan.gone, set([3]));
    }

    #[test]
    fn a_batch_ends_at_its_bytes_but_never_without_a_message() {
        let cut = batches(vec![10, 1, 1, 50, 1], |n| *n, 3, 12);
        assert_eq!(cut, [vec![10, 1, 1], vec![50], vec![1]]);
        assert_eq!(batches(vec![1; 7], |_| 1, 3, 100).len(), 3);
    }
}
