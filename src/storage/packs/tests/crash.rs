//! The disk stops at every single step, by kill or by power cut: what was acknowledged is there, once.

use super::*;
use crate::storage::disk::faults;

/// What Alice was promised so far.
#[derive(Default)]
struct Promised {
    there: Vec<(RecordPlace, u32)>,
    destroyed: Vec<RecordPlace>,
    /// Asked to be destroyed when the disk stopped: either way is well.
    perhaps: Vec<RecordPlace>,
}

/// A life with all that can happen to packs; it ends where the disk stops.
fn live(packs: &Packs, promised: &mut Promised) -> Result<(), PackError> {
    for turn in 0..4 {
        let numbers = turn * 10..turn * 10 + 1 + turn * 2;
        let places = append(packs, numbers.clone())?;
        promised.there.extend(places.into_iter().zip(numbers));
        if turn == 2 {
            let (place, _) = promised.there.remove(1);
            promised.perhaps.push(place);
            packs.destroy(&[place])?;
            promised.destroyed.append(&mut promised.perhaps);
        }
    }
    Ok(())
}

#[track_caller]
fn verify(packs: &Packs, promised: &Promised) {
    for (place, number) in &promised.there {
        assert_eq!(number_at(packs, *place), *number);
    }
    for place in &promised.destroyed {
        assert!(matches!(packs.read(*place), Err(PackError::Destroyed(_))));
    }
    for place in &promised.perhaps {
        assert!(matches!(packs.read(*place), Ok(_) | Err(PackError::Destroyed(_))));
    }
    let found = scanned(packs);
    assert!(found.is_sorted() && found.windows(2).all(|pair| pair[0] != pair[1]), "none twice: {found:?}");
    assert!(promised.there.iter().all(|(_, number)| found.contains(number)));
}

/// Goes on after the crash as the next process would, twice.
fn go_on(directory: &Path, promised: &Promised) {
    for turn in 0..2 {
        let packs = Packs::open(directory, &key(), STORE).unwrap();
        verify(&packs, promised);
        let later = append(&packs, 100 + turn..101 + turn).unwrap();
        verify(&packs, promised);
        assert_eq!(number_at(&packs, later[0]), 100 + turn);
    }
    let packs = Packs::open(directory, &key(), STORE).unwrap();
    assert_eq!(packs.mend().unwrap().tables_mended, 0, "appending has tidied up already");
    assert!(packs.files.numbers().unwrap().len() == 1, "a crash is no reason for a new pack");
}

#[test]
fn a_kill_at_any_step_loses_nothing() {
    for step in 0.. {
        let store = Store::new();
        let mut promised = Promised::default();
        faults::fail(step, usize::MAX);
        let outcome = live(&store.open(), &mut promised);
        let stopped = faults::heal();
        assert_eq!(outcome.is_err(), stopped);
        go_on(store.directory.path(), &promised);
        if !stopped {
            assert!(step > 40, "the story has only {step} steps");
            return;
        }
    }
}

#[test]
fn a_power_cut_at_any_step_loses_nothing() {
    for step in 0.. {
        let store = Store::new();
        let mut promised = Promised::default();
        faults::watch(store.directory.path());
        faults::fail(step, usize::MAX);
        let outcome = live(&store.open(), &mut promised);
        let stopped = faults::heal();
        let left = directory();
        faults::after_power_cut(left.path());
        assert_eq!(outcome.is_err(), stopped);
        go_on(left.path(), &promised);
        if !stopped {
            return;
        }
    }
}

#[test]
fn a_disk_that_is_full_for_a_moment_costs_the_batch_only() {
    for failing in [1, 2, 5] {
        for step in 0.. {
            let store = Store::new();
            let packs = store.open();
            let mut promised = Promised::default();
            faults::fail(step, failing);
            let outcome = live(&packs, &mut promised);
            let failed = faults::heal();
            if let Err(error) = &outcome {
                assert!(matches!(error, PackError::Disk(DiskError::Full { .. })), "{error}");
            }
            // The same process goes on, then another one.
            let later = append(&packs, 90..95).unwrap();
            assert_eq!(number_at(&packs, later[4]), 94);
            verify(&packs, &promised);
            go_on(store.directory.path(), &promised);
            if !failed {
                break;
            }
        }
    }
}
