//! What goes in comes out, in every order, and nothing of it can be seen.

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn what_was_appended_is_read_and_scanned_back_also_after_reopening(
        batches in prop::collection::vec(prop::collection::vec(any::<Vec<u8>>(), 0..5), 0..6),
        reopen: u8,
    ) {
        let store = Store::new();
        let mut packs = store.open();
        let mut all = Vec::new();
        for (at, batch) in batches.iter().enumerate() {
            let records: Vec<_> = batch.iter().map(|raw| (alices(1), raw.as_slice())).collect();
            all.extend(packs.append(&records).unwrap());
            if reopen & (1 << at) != 0 {
                packs = store.open();
            }
        }
        let raws: Vec<_> = batches.concat();
        let read: Vec<_> = all.iter().map(|place| packs.read(*place).unwrap().raw).collect();
        prop_assert_eq!(&read, &raws);
        let scanned: Vec<_> = packs.scan(None).map(|(place, record)| (place, record.unwrap().raw)).collect();
        prop_assert_eq!(scanned, all.iter().copied().zip(raws).collect::<Vec<_>>());
        prop_assert_eq!(packs.end().unwrap(), all.last().copied());
    }
}

#[test]
fn a_scan_goes_on_where_the_database_ends() {
    let store = Store::new();
    let packs = store.open();
    append(&packs, 0..3).unwrap();
    let known = packs.end().unwrap();
    assert_eq!(packs.scan(known).count(), 0);
    append(&packs, 3..5).unwrap();
    let found: Vec<_> = packs.scan(known).map(|(_, record)| record.unwrap().meta.uid).collect();
    assert_eq!(found, [3, 4]);
}

#[test]
fn a_full_pack_is_closed_and_the_next_one_begun() {
    let store = Store::new();
    let packs = store.with_small_packs(100_000);
    let large: Vec<u8> = (20..60).flat_map(|number| message(1400 + number)).collect();
    assert!(large.len() > 50_000 && large.len() < 60_000 + 5_000);
    let mut places: Vec<_> = (0..20).flat_map(|number| append(&packs, [number]).unwrap()).collect();
    let grown = std::fs::metadata(store.path("00000001.keys")).unwrap().len();
    let larges: Vec<_> = (0..3).map(|_| packs.append(&[(alices(1), &large)]).unwrap()[0]).collect();
    assert_eq!(larges.iter().map(|place| place.pack).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(std::fs::metadata(store.path("00000001.keys")).unwrap().len() < grown / 2, "closing compacts");
    for packs in [packs, store.open()] {
        assert!(larges.iter().all(|place| packs.read(*place).unwrap().raw == large));
        assert!(places.iter().enumerate().all(|(at, place)| number_at(&packs, *place) == at as u32));
        assert_eq!(packs.mend().unwrap(), MendReport { packs: 3, ..MendReport::default() });
    }
    // A message larger than a pack has one of its own, and is written in pieces.
    let packs = store.with_small_packs(100_000);
    let huge: Vec<u8> = (0..8000).flat_map(message).collect();
    let place = packs.append(&[(alices(1), &large), (alices(2), &huge), (alices(3), &large)]).unwrap()[1];
    assert!(place.pack == 4 && place.length > 4 << 20);
    places = append(&packs, [7]).unwrap();
    assert_eq!(places[0].pack, 5);
    assert!(store.open().read(place).unwrap().raw == huge);
}

#[test]
fn more_packs_than_are_held_open_can_be_read() {
    let store = Store::new();
    let packs = store.with_small_packs(1);
    let places: Vec<_> = (0..12).flat_map(|number| append(&packs, [number]).unwrap()).collect();
    assert_eq!(places.last().unwrap().pack, 12);
    for _ in 0..2 {
        for (at, place) in places.iter().enumerate() {
            assert_eq!(number_at(&packs, *place), at as u32);
        }
    }
    assert_eq!(packs.open_packs().len(), 8);
    assert_eq!(scanned(&packs), (0..12).collect::<Vec<_>>());
}

#[test]
fn threads_append_read_and_destroy_at_once() {
    let store = Store::new();
    let packs = store.open();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let packs = &packs;
            scope.spawn(move || {
                for turn in 0..10 {
                    let first = thread * 100 + turn * 3;
                    let places = append(packs, first..first + 3).unwrap();
                    packs.destroy(&places[2..]).unwrap();
                    assert_eq!(number_at(packs, places[0]), first);
                    assert_eq!(number_at(packs, places[1]), first + 1);
                    assert!(matches!(packs.read(places[2]), Err(PackError::Destroyed(_))));
                }
            });
        }
    });
    assert_eq!(scanned(&packs).len(), 80);
    assert_eq!(scanned(&store.open()).len(), 80);
}

#[test]
fn nothing_readable_lies_in_the_directory() {
    let store = Store::new();
    let packs = store.open();
    let words = ["Zwetschgenknödel", "alice@example.org", "INBOX", "unread", "Quetzalcoatlus"];
    let raw = format!("Subject: {0}\r\n\r\n{1} {1} {0}", words[0], words[4]);
    // Once too short to be compressed, once long: neither may show.
    let long = raw.repeat(50);
    let places = packs.append(&[(alices(1), raw.as_bytes()), (alices(2), long.as_bytes())]).unwrap();
    packs.destroy(&places[..1]).unwrap();
    for entry in std::fs::read_dir(store.directory.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(["00000001.pack", "00000001.keys", "00000001.keys2"].contains(&name.as_str()), "{name}");
        let bytes = std::fs::read(entry.path()).unwrap();
        for word in words.iter().map(|word| word.as_bytes()).chain([key().expose().as_slice()]) {
            assert!(!bytes.windows(word.len()).any(|window| window == word), "{name}");
        }
        let mode = std::os::unix::fs::PermissionsExt::mode(&entry.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_place_that_never_was_is_missing() {
    let store = Store::new();
    let packs = store.open();
    let place = append(&packs, [1]).unwrap()[0];
    for never in
        [RecordPlace { offset: 1 << 20, ..place }, RecordPlace { length: place.length + 64, ..place }]
    {
        assert!(matches!(packs.read(never), Err(PackError::Missing(_))), "{never:?}");
    }
}

#[test]
fn another_stores_key_opens_nothing_and_mends_nothing_away() {
    let store = Store::new();
    let place = append(&store.open(), [1]).unwrap()[0];
    for (key, id) in [(Key::random(), STORE), (key(), [8; 16])] {
        let others = Packs::open(store.directory.path(), &key, id).unwrap();
        assert!(others.read(place).is_err());
        assert_eq!(others.mend().unwrap().tables_lost, 1);
    }
    store.open().mend().unwrap();
    assert_eq!(number_at(&store.open(), place), 1);
}

#[test]
fn a_read_only_directory_is_still_read() {
    let store = Store::new();
    let place = append(&store.open(), [1]).unwrap()[0];
    // What a crash leaves behind must not make opening write.
    let table = std::fs::read(store.path("00000001.keys")).unwrap();
    std::fs::write(store.path("00000001.keys"), &table[..10]).unwrap();
    disk::faults::fail(0, usize::MAX);
    let packs = store.open();
    assert_eq!(number_at(&packs, place), 1);
    assert_eq!(scanned(&packs), [1]);
    assert!(append(&packs, [2]).is_err());
    assert_eq!(number_at(&packs, place), 1);
    assert!(disk::faults::heal());
}
