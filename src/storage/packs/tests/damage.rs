//! Flipped bits, cut files and old copies: they cost at most what they hit, and often nothing.

use super::*;
use proptest::prelude::*;

const KEYS: [&str; 2] = ["00000001.keys", "00000001.keys2"];
const PACK: &str = "00000001.pack";

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn flip(path: &Path, bit: usize) {
    change(path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
}

fn bits_of(store: &Store, name: &str) -> usize {
    usize::try_from(std::fs::metadata(store.path(name)).unwrap().len()).unwrap() * 8
}

fn filled<const N: usize>(batches: [std::ops::Range<u32>; N]) -> (Store, Vec<RecordPlace>) {
    let store = Store::new();
    let packs = store.open();
    let places = batches.into_iter().flat_map(|batch| append(&packs, batch).unwrap()).collect();
    drop(packs);
    (store, places)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_flipped_bit_in_a_pack_costs_that_record_only(at: prop::sample::Index) {
        let (store, places) = filled([0..5, 5..20]);
        let bit = at.index(bits_of(&store, PACK));
        flip(&store.path(PACK), bit);
        let packs = store.open();
        let hit = |place: &RecordPlace| {
            (place.offset..place.offset + place.length).contains(&u32::try_from(bit / 8).unwrap())
        };
        for (number, place) in places.iter().enumerate() {
            if hit(place) {
                prop_assert!(matches!(packs.read(*place), Err(PackError::Damaged(_))));
            } else {
                prop_assert_eq!(number_at(&packs, *place), number as u32);
            }
        }
        let damaged: Vec<_> = packs.scan(None).filter(|(_, record)| record.is_err()).map(|(place, _)| place).collect();
        prop_assert_eq!(damaged, places.iter().copied().filter(hit).collect::<Vec<_>>());
        let header_hit = bit / 8 < HEADER as usize;
        prop_assert_eq!(packs.mend().unwrap().headers_mended, usize::from(header_hit));
        prop_assert_eq!(packs.mend().unwrap().headers_mended, 0);
    }

    #[test]
    fn a_flipped_bit_in_a_key_table_costs_nothing_and_is_mended(copy in 0..2_usize, at: prop::sample::Index) {
        let (store, places) = filled([0..5, 5..20]);
        flip(&store.path(KEYS[copy]), at.index(bits_of(&store, KEYS[copy])));
        let packs = store.open();
        prop_assert_eq!(scanned(&packs), (0..20).collect::<Vec<_>>());
        prop_assert_eq!(packs.mend().unwrap().tables_mended, 1);
        prop_assert_eq!(packs.mend().unwrap().tables_mended, 0);
        std::fs::remove_file(store.path(KEYS[1 - copy])).unwrap();
        let packs = store.open();
        prop_assert!(places.iter().enumerate().all(|(number, place)| number_at(&packs, *place) == number as u32));
    }

    #[test]
    fn bits_flipped_in_both_copies_cost_one_chunk_at_most(one: prop::sample::Index, other: prop::sample::Index) {
        let (store, places) = filled([0..5, 5..10, 10..15, 15..20]);
        for (name, at) in KEYS.iter().zip([one, other]) {
            flip(&store.path(name), at.index(bits_of(&store, name)));
        }
        let packs = store.open();
        let lost = places.iter().filter(|place| match packs.read(**place) {
            Ok(_) => false,
            Err(PackError::Damaged(_)) => true,
            Err(error) => panic!("{error}"),
        }).count();
        prop_assert!(lost == 0 || lost == 5);
        // Also after mending, and with what is appended later, no place is given to a second message.
        packs.mend().unwrap();
        let later = append(&packs, 20..30).unwrap();
        let packs = store.open();
        for (number, place) in places.iter().chain(&later).enumerate() {
            match packs.read(*place) {
                Ok(record) => prop_assert_eq!(record.meta.uid, number as u32),
                Err(error) => prop_assert!(matches!(error, PackError::Damaged(_) | PackError::Missing(_)), "{}", error),
            }
        }
    }

    #[test]
    fn one_key_table_cut_anywhere_costs_nothing(copy in 0..2_usize, cut: prop::sample::Index, append_first: bool) {
        let (store, _) = filled([0..5, 5..20]);
        change(&store.path(KEYS[copy]), |bytes| bytes.truncate(cut.index(bytes.len() + 1)));
        let packs = store.open();
        if !append_first {
            prop_assert_eq!(scanned(&packs), (0..20).collect::<Vec<_>>());
        }
        append(&packs, 20..25).unwrap();
        prop_assert_eq!(scanned(&packs), (0..25).collect::<Vec<_>>());
        prop_assert_eq!(scanned(&store.open()), (0..25).collect::<Vec<_>>());
        prop_assert_eq!(store.open().mend().unwrap().tables_mended, 0);
    }

    #[test]
    fn a_pack_cut_anywhere_keeps_what_lies_before(cut: prop::sample::Index) {
        let (store, places) = filled([0..5, 5..20]);
        let mut kept = 0;
        change(&store.path(PACK), |bytes| {
            kept = cut.index(bytes.len());
            bytes.truncate(kept);
        });
        let packs = store.open();
        let later = append(&packs, 20..25).unwrap();
        for packs in [packs, store.open()] {
            for (number, place) in places.iter().chain(&later).enumerate() {
                if place.pack > 1 || (place.offset + place.length) as usize <= kept {
                    prop_assert_eq!(number_at(&packs, *place), number as u32);
                } else {
                    prop_assert!(matches!(packs.read(*place), Err(PackError::Damaged(_))));
                }
            }
        }
    }

    #[test]
    fn junk_behind_the_end_of_any_file_is_no_harm(junk: Vec<u8>, file in 0..3_usize) {
        let (store, _) = filled([0..5, 5..20]);
        change(&store.path([PACK, KEYS[0], KEYS[1]][file]), |bytes| bytes.extend_from_slice(&junk));
        let packs = store.open();
        prop_assert_eq!(scanned(&packs), (0..20).collect::<Vec<_>>());
        append(&packs, 20..25).unwrap();
        prop_assert_eq!(scanned(&store.open()), (0..25).collect::<Vec<_>>());
    }
}

#[test]
fn records_cannot_be_swapped() {
    let (store, places) = filled([1..2, 1..2]);
    let [first, second] = places[..] else { unreachable!() };
    assert_eq!(first.length, second.length);
    change(&store.path(PACK), |bytes| {
        let (front, back) = bytes.split_at_mut(second.offset as usize);
        front[first.offset as usize..].swap_with_slice(&mut back[..first.length as usize]);
    });
    let packs = store.open();
    assert!(places.iter().all(|place| matches!(packs.read(*place), Err(PackError::Damaged(_)))));
}

#[test]
fn destroyed_stays_destroyed_whichever_old_copy_comes_back() {
    for copy in KEYS {
        let (store, places) = filled([0..5, 5..20]);
        let old = std::fs::read(store.path(copy)).unwrap();
        let packs = store.open();
        assert_eq!(number_at(&packs, places[7]), 7);
        packs.destroy(&places[7..9]).unwrap();
        packs.destroy(&places[7..8]).unwrap();
        assert!(matches!(packs.read(places[7]), Err(PackError::Destroyed(_))));
        drop(packs);

        std::fs::write(store.path(copy), &old).unwrap();
        let packs = store.open();
        for place in &places[7..9] {
            assert!(matches!(packs.read(*place), Err(PackError::Destroyed(_))));
        }
        assert_eq!(scanned(&packs).len(), 18);
        assert_eq!(packs.mend().unwrap().tables_mended, 1);

        // After mending, not even both files hold the keys any more.
        for other in KEYS {
            let files = Files::new(store.directory.path().into(), key(), STORE);
            let bytes = std::fs::read(store.path(other)).unwrap();
            let table = key_table::parse(&bytes, &key(), &files.table_aad(1)).table;
            assert_eq!(table.get(places[7].offset).unwrap().fate, Fate::Destroyed);
        }
        append(&packs, 20..22).unwrap();
        assert_eq!(scanned(&store.open()).len(), 20);
    }
}

#[test]
fn the_bytes_of_a_key_table_that_was_rewritten_are_wiped() {
    let (store, places) = filled([0..10, 10..20]);
    // An open file goes on showing what its blocks hold, as a look at the raw disk would.
    let old = KEYS.map(|name| File::open(store.path(name)).unwrap());
    store.open().destroy(&places[..1]).unwrap();
    for mut old in old {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut old, &mut bytes).unwrap();
        assert!(!bytes.is_empty() && bytes.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn what_a_crash_left_of_a_rewriting_is_wiped() {
    let (store, places) = filled([0..10, 10..20]);
    let left = store.path("00000001.keys.new");
    for clean in [
        |packs: &Packs, _: &[RecordPlace]| assert_eq!(packs.mend().unwrap().tables_mended, 0),
        |packs: &Packs, places: &[RecordPlace]| {
            packs.destroy(&places[..1]).unwrap();
        },
    ] {
        std::fs::copy(store.path(KEYS[0]), &left).unwrap();
        let mut blocks = File::open(&left).unwrap();
        clean(&store.open(), &places);
        assert!(!left.exists());
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut blocks, &mut bytes).unwrap();
        assert!(!bytes.is_empty() && bytes.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_copy_that_the_disk_cannot_read_is_made_good_by_the_other() {
    let (store, _) = filled([0..10, 10..20]);
    // Reading a directory as a file fails as a bad sector does: neither gone nor forbidden.
    std::fs::remove_file(store.path(KEYS[0])).unwrap();
    std::fs::create_dir(store.path(KEYS[0])).unwrap();
    assert_eq!(scanned(&store.open()).len(), 20);
}

#[test]
fn a_table_lost_in_both_copies_is_said_and_its_pack_left_alone() {
    let (store, places) = filled([0..10, 10..20]);
    for name in KEYS {
        change(&store.path(name), |bytes| bytes.fill(7));
    }
    let pack = std::fs::read(store.path(PACK)).unwrap();
    let packs = store.open();
    assert_eq!(packs.mend().unwrap().tables_lost, 1);
    let later = append(&packs, 20..25).unwrap();
    assert!(later.iter().all(|place| place.pack == 2));
    assert!(places.iter().all(|place| matches!(packs.read(*place), Err(PackError::Damaged(_)))));
    assert!(matches!(packs.destroy(&places[..1]), Err(PackError::Damaged(_))));
    let (damaged, good): (Vec<_>, Vec<_>) = packs.scan(None).partition(|(_, record)| record.is_err());
    assert_eq!((damaged.len(), good.len()), (1, 5), "the lost stretch is one, and named");
    assert_eq!(std::fs::read(store.path(PACK)).unwrap(), pack);
}

#[test]
fn hurt_tables_and_headers_are_named_and_what_a_crash_leaves_is_not() {
    let (store, places) = filled([0..10, 10..20]);
    assert_eq!(store.open().hurt().unwrap(), Hurt::default());
    let good = std::fs::read(store.path(KEYS[1])).unwrap();
    for end in [good.len() / 2, good.len() - 3] {
        std::fs::write(store.path(KEYS[1]), &good[..end]).unwrap();
        assert_eq!(store.open().hurt().unwrap(), Hurt::default(), "a batch that was not finished");
    }
    std::fs::write(store.path(KEYS[1]), &good).unwrap();
    for name in KEYS {
        flip(&store.path(name), 500);
        assert_eq!(store.open().hurt().unwrap().tables, [1], "{name}");
        flip(&store.path(name), 500);
    }
    std::fs::remove_file(store.path(KEYS[1])).unwrap();
    flip(&store.path(PACK), 3);
    assert_eq!(store.open().hurt().unwrap(), Hurt { tables: vec![1], headers: vec![1] });
    store.open().mend().unwrap();
    assert_eq!(store.open().hurt().unwrap(), Hurt::default());
    assert_eq!(number_at(&store.open(), places[3]), 3);
}

#[test]
fn a_key_table_that_cannot_be_opened_just_now_is_not_called_damaged() {
    let (store, places) = filled([0..3, 3..5]);
    for name in KEYS {
        std::fs::remove_file(store.path(name)).unwrap();
        // A link to itself is refused before a byte is read, as when too many files are open.
        std::os::unix::fs::symlink(store.path(name), store.path(name)).unwrap();
    }
    let packs = store.open();
    assert!(matches!(packs.read(places[0]), Err(PackError::Disk(_))));
    assert!(packs.scan(None).all(|(_, record)| matches!(record, Err(PackError::Disk(_)))));
    assert!(packs.mend().is_err());
}

#[test]
fn closed_packs_are_read_and_no_longer_changed() {
    let (store, places) = filled([0..3, 3..5]);
    let packs = store.open();
    packs.close();
    assert!(matches!(append(&packs, [9]), Err(PackError::Closed)));
    assert!(matches!(packs.destroy(&places), Err(PackError::Closed)));
    assert!(matches!(packs.mend(), Err(PackError::Closed)));
    assert_eq!(scanned(&packs), [0, 1, 2, 3, 4]);
}

#[test]
fn where_the_packs_are_away_no_number_is_given_twice() {
    let store = Store::new();
    let packs = store.open();
    packs.go_on_after(7);
    assert_eq!(append(&packs, [1]).unwrap()[0].pack, 8);
    packs.go_on_after(3);
    assert_eq!(append(&packs, [2]).unwrap()[0].pack, 8);
}

#[test]
fn a_pack_that_is_gone_is_missing_and_its_number_not_used_again() {
    let (store, places) = filled([0..10, 10..20]);
    std::fs::remove_file(store.path(PACK)).unwrap();
    let packs = store.open();
    assert!(matches!(packs.read(places[0]), Err(PackError::Gone(1))));
    assert_eq!(append(&packs, [20]).unwrap()[0].pack, 2);
    assert_eq!(number_at(&packs, packs.end().unwrap().unwrap()), 20);
}
