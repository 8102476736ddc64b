//! Of two values of one thing that devices share, which one counts. Pure: all devices come to the same, in whatever order they
//! hear of it, and a text gives way only to another text or to an owner who cleared it where it was shared.

use crate::mail::sma::{DeviceId, Shared};
use crate::storage::database::shared::SharedRow;

/// What is said to be later than the message that tells of it, by more seconds than this, is passed over.
pub(super) const SLACK: i64 = 15 * 60;
/// What is later than now by more seconds than this was dated by a clock that was ahead: a message may be that of a clock which
/// is ahead by as much as the first half, and tell of what is later by the other.
pub(super) const FAR: i64 = 2 * SLACK;

/// A row as it is told; nothing where only the date of a change is noted yet.
pub(super) fn value(row: &SharedRow) -> Option<Shared> {
    let device = row.device.parse().ok()?;
    Some(Shared { name: row.name.clone(), value: row.value.clone(), at: row.at, device })
}

/// The date of a change that is made now to what is dated `before`.
pub(super) fn dated(now: i64, before: i64) -> i64 {
    if before > now.saturating_add(FAR) { now } else { now.max(before.saturating_add(1)) }
}

/// What is kept once the owner changed something on this device, told or not; nothing where there is nothing to keep.
pub(super) fn noted(name: &str, before: Option<SharedRow>, here: &str, now: i64) -> Option<SharedRow> {
    let row = before.unwrap_or_else(|| SharedRow { name: name.to_owned(), ..SharedRow::default() });
    if row.device.is_empty() && here.is_empty() {
        return None;
    }
    // Where this store held what counts, the change is later than that, whatever the clocks say.
    let is_level = row.seen.as_ref() == Some(&row.value);
    let here_at = if is_level { dated(now, row.at) } else { now };
    Some(SharedRow { here_at, ..row })
}

/// What is kept once another device told something; nothing where what is known counts.
pub(super) fn taken(before: Option<&SharedRow>, told: &Shared, now: i64) -> Option<SharedRow> {
    let counts = before.and_then(value).is_none_or(|held| {
        // What a wrong clock dated would otherwise count against all that is said until then.
        told.outweighs(&held) || held.at > now.saturating_add(FAR) && *told != held
    });
    counts.then(|| SharedRow {
        name: told.name.clone(),
        value: told.value.clone(),
        at: told.at,
        device: told.device.to_string(),
        seen: before.and_then(|row| row.seen.clone()),
        here_at: before.map(|row| row.here_at).unwrap_or_default(),
    })
}

/// One thing as it stands after what this store holds was looked at; nothing where it was never set.
pub(super) fn settled(
    name: &str,
    here: &str,
    before: Option<SharedRow>,
    me: DeviceId,
    now: i64,
) -> Option<SharedRow> {
    let row = before.unwrap_or_else(|| SharedRow { name: name.to_owned(), ..SharedRow::default() });
    let ours = |at| SharedRow {
        name: name.to_owned(),
        value: here.to_owned(),
        at,
        device: me.to_string(),
        seen: Some(here.to_owned()),
        here_at: 0,
    };
    let noted_at = if row.here_at > now.saturating_add(FAR) { now } else { row.here_at };
    let Some(theirs) = value(&row) else { return (!here.is_empty()).then(|| ours(noted_at)) };
    let is_shared = row.seen.is_some();
    let is_changed = row.seen.as_deref() != Some(here) && row.value != here;
    let at = if noted_at == 0 && is_shared { dated(now, theirs.at) } else { noted_at };
    let told = ours(at);
    let is_later = value(&told).is_some_and(|ours| ours.outweighs(&theirs));
    let row = match (here.is_empty(), row.value.is_empty()) {
        _ if !is_changed => row,
        // What is empty and was never shared says nothing.
        (true, _) if !is_shared => row,
        // What is empty never takes the place of a text that nobody was told yet.
        (false, true) if !is_later => ours(theirs.at.saturating_add(1)),
        _ if is_later => told,
        _ => row,
    };
    Some(SharedRow { seen: Some(row.value.clone()), here_at: 0, ..row })
}

/// This device's own word, where a clock that was ahead dated it: nobody took it in, so it is dated anew.
pub(super) fn dated_anew(row: &SharedRow, me: DeviceId, now: i64) -> Option<SharedRow> {
    let is_ahead = row.at > now.saturating_add(FAR) && row.device == me.to_string();
    is_ahead.then(|| SharedRow { at: now, ..row.clone() })
}

/// Whether others would take it in if they were told now.
pub(super) const fn may_be_told(at: i64, now: i64) -> bool {
    at <= now.saturating_add(SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "signature";

    /// One of Alice's stores.
    struct Store {
        me: DeviceId,
        here: String,
        row: Option<SharedRow>,
        shares: bool,
        before: Vec<String>,
        ahead: i64,
        wrote: String,
    }

    impl Store {
        fn new(number: usize) -> Self {
            Self {
                me: (number * 7 + 3).to_string().parse().unwrap(),
                here: String::new(),
                row: None,
                shares: false,
                before: Vec::new(),
                ahead: 0,
                wrote: String::new(),
            }
        }

        fn writes(&mut self, text: &str, now: i64) {
            (self.here, self.wrote) = (text.to_owned(), text.to_owned());
            self.row = noted(NAME, self.row.take(), text, now + self.ahead);
        }

        /// What it would tell, after it looked at what it holds.
        fn tells(&mut self, now: i64) -> Option<Shared> {
            let now = now + self.ahead;
            if let Some(row) = self.row.as_ref().and_then(|row| dated_anew(row, self.me, now)) {
                self.row = Some(row);
            }
            if !self.shares {
                return None;
            }
            self.row = settled(NAME, &self.here, self.row.take(), self.me, now);
            let row = self.row.clone()?;
            if row.value != self.here {
                self.before.push(std::mem::replace(&mut self.here, row.value.clone()));
            }
            value(&row).filter(|told| may_be_told(told.at, now))
        }

        fn hears(&mut self, told: &Shared, created: i64, now: i64) {
            let is_sane = created <= now + self.ahead + SLACK && may_be_told(told.at, created);
            if let Some(row) = taken(self.row.as_ref(), told, now + self.ahead).filter(|_| is_sane) {
                self.row = Some(row);
            }
        }
    }

    /// The same numbers on every run.
    fn next(seed: &mut u64) -> usize {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*seed >> 33).unwrap()
    }

    /// One tells, and one of the others hears it.
    fn exchange(stores: &mut [Store], from: usize, to: usize, now: i64) {
        let created = now + stores[from].ahead;
        if let Some(told) = stores[from].tells(now) {
            stores[to].hears(&told, created, now);
        }
    }

    #[test]
    fn three_stores_come_to_the_same_and_no_text_is_lost() {
        for run in 0..3_000_u64 {
            let (mut seed, mut now) = (run, 1_700_000_000);
            let mut stores: Vec<Store> = (0..3).map(Store::new).collect();
            for turn in 0..40 {
                let (one, other) = (next(&mut seed) % 3, next(&mut seed) % 3);
                now += i64::try_from(next(&mut seed) % 2_000).unwrap();
                match next(&mut seed) % 10 {
                    0..3 => stores[one].writes(&format!("text {turn}"), now),
                    3 => stores[one].writes("", now),
                    4 => stores[one].shares = !stores[one].shares,
                    // A clock goes days ahead, or back.
                    5 => stores[one].ahead = [0, 0, 600, 86_400, 900_000][next(&mut seed) % 5],
                    _ => exchange(&mut stores, one, other, now),
                }
            }
            for store in &mut stores {
                (store.ahead, store.shares) = (0, true);
            }
            let mut quiet = false;
            for _ in 0..8 {
                now += SLACK;
                let held = |stores: &[Store]| -> Vec<_> { stores.iter().map(|s| s.row.clone()).collect() };
                let was = held(&stores);
                for from in 0..3 {
                    (0..3).filter(|to| *to != from).for_each(|to| exchange(&mut stores, from, to, now));
                }
                stores.iter_mut().for_each(|store| drop(store.tells(now)));
                quiet = was == held(&stores);
            }
            assert!(quiet, "run {run}: they never stop talking");
            let end = stores[0].here.clone();
            for store in &stores {
                assert_eq!(store.here, end, "run {run}");
                let kept =
                    store.wrote.is_empty() || store.wrote == end || store.before.contains(&store.wrote);
                assert!(kept, "run {run}: {:?} is lost", store.wrote);
            }
        }
    }

    #[test]
    fn what_is_empty_takes_the_place_of_no_text_that_nobody_was_told() {
        let (home, laptop) = (Store::new(0).me, Store::new(1).me);
        let cleared = Shared { name: NAME.into(), value: String::new(), at: 900, device: home };
        for here_at in [0, 500, 950] {
            for seen in [None, Some("an older one".to_owned())] {
                let held = SharedRow { name: NAME.into(), here_at, seen, ..SharedRow::default() };
                let row = taken(Some(&held), &cleared, 1000).unwrap();
                let row = settled(NAME, "Alice", Some(row), laptop, 1000).unwrap();
                assert_eq!(row.value, "Alice");
                assert!(value(&row).unwrap().outweighs(&cleared));
            }
        }
        // And one that was never shared does not empty what others have.
        let set = Shared { value: "Alice".into(), ..cleared };
        let held = SharedRow { name: NAME.into(), here_at: 950, ..SharedRow::default() };
        let row = taken(Some(&held), &set, 1000).unwrap();
        assert_eq!(settled(NAME, "", Some(row), laptop, 1000).unwrap().value, "Alice");
    }

    #[test]
    fn a_change_counts_from_when_it_was_made() {
        let mut stores: Vec<Store> = (0..2).map(Store::new).collect();
        stores.iter_mut().for_each(|store| store.shares = true);
        // The laptop is offline on Monday, and speaks on Friday; home changed it on Wednesday.
        stores[1].writes("Monday", 1_000);
        stores[0].writes("Wednesday", 2_000);
        for _ in 0..2 {
            exchange(&mut stores, 1, 0, 4_000);
            exchange(&mut stores, 0, 1, 4_000);
        }
        stores.iter_mut().for_each(|store| drop(store.tells(4_000)));
        assert!(stores.iter().all(|store| store.here == "Wednesday"));
        assert_eq!(stores[1].before, ["Monday"]);
    }
}
