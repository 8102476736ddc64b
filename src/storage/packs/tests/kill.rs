//! A process of its own appends and is killed at random: whatever it said it had stored is there.

use super::*;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

const DIRECTORY: &str = "MAILKEEP_TEST_KILL_DIRECTORY";
const FIRST: &str = "MAILKEEP_TEST_KILL_FIRST";

/// Not a test by itself: the process that is killed. It tells of each batch once that is durable.
#[test]
fn appending_until_killed() {
    let (Ok(directory), Ok(first)) = (std::env::var(DIRECTORY), std::env::var(FIRST)) else { return };
    let packs = Packs::open(Path::new(&directory), &key(), STORE).unwrap();
    let mut number: u32 = first.parse().unwrap();
    loop {
        let numbers = number..number + 1 + number % 7;
        for (place, number) in append(&packs, numbers.clone()).unwrap().into_iter().zip(numbers.clone()) {
            // A line in one write, so that a kill cannot cut it.
            let line = format!("stored {} {} {} {number}\n", place.pack, place.offset, place.length);
            io::stdout().write_all(line.as_bytes()).unwrap();
        }
        number = numbers.end;
    }
}

#[test]
fn what_a_killed_process_had_acknowledged_is_there() {
    let store = Store::new();
    let mut promised = Vec::new();
    for kill in 0..30_u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "storage::packs::tests::kill::appending_until_killed", "--nocapture"])
            .env(DIRECTORY, store.directory.path())
            .env(FIRST, (kill * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        for line in lines {
            let line = line.unwrap();
            let numbers: Vec<u32> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            let [pack, offset, length, number] = numbers[..] else { continue };
            promised.push((RecordPlace { pack, offset, length }, number));
            acknowledged += 1;
            // Killed after a varied number of messages and a moment more, at whatever it does then.
            if acknowledged == 1 + kill * 3 {
                std::thread::sleep(Duration::from_micros(u64::from(kill.wrapping_mul(7919) % 3000)));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let packs = store.open();
        for (place, number) in &promised {
            assert_eq!(number_at(&packs, *place), *number);
        }
    }
    let found = scanned(&store.open());
    assert!(promised.len() >= 30 && found.len() >= promised.len());
    assert!(found.is_sorted() && found.windows(2).all(|pair| pair[0] != pair[1]), "none twice");
    assert_eq!(store.open().files.numbers().unwrap().len(), 1);
}
