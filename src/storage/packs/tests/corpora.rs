//! Real mail, where it is at hand: `MAILKEEP_CORPORA` names a directory of it. Prints what it costs.

use super::*;
use std::time::Instant;

fn messages(directory: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            messages(&path, found);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        if bytes.starts_with(b"From ") {
            let mut rest = bytes.as_slice();
            while let Some(at) = rest.windows(6).skip(1).position(|window| window == b"\nFrom ") {
                let (message, after) = rest.split_at(at + 2);
                found.push(message.to_vec());
                rest = after;
            }
            found.push(rest.to_vec());
        } else {
            found.push(bytes);
        }
    }
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[test]
fn every_message_of_the_corpora_comes_back_byte_for_byte() {
    let Ok(corpora) = std::env::var("MAILKEEP_CORPORA") else { return };
    let mut all = Vec::new();
    messages(Path::new(&corpora), &mut all);
    let raw: usize = all.iter().map(Vec::len).sum();
    let directory = tempfile::tempdir().unwrap();
    let packs = Packs::open(directory.path(), &key(), STORE).unwrap();
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let mut places = Vec::new();
    for batch in all.chunks(200) {
        let records: Vec<_> = batch.iter().map(|raw| (alices(1), raw.as_slice())).collect();
        places.extend(packs.append(&records).unwrap());
    }
    let cpu = cpu_seconds() - cpu;
    println!(
        "{} messages, {raw} bytes: appended in {:.1?}, {cpu:.1} CPU seconds ({:.1} MB/s), {:.3} of raw on disk",
        all.len(),
        started.elapsed(),
        raw as f64 / 1e6 / cpu,
        bytes_on_disk(directory.path()) as f64 / raw as f64,
    );
    let started = Instant::now();
    let packs = Packs::open(directory.path(), &key(), STORE).unwrap();
    for ((place, record), (expected, raw)) in packs.scan(None).zip(places.iter().zip(&all)) {
        assert_eq!(place, *expected);
        assert!(record.unwrap().raw == *raw);
    }
    println!("scanned in {:.1?}", started.elapsed());
    let started = Instant::now();
    for at in 0..2000_usize {
        let at = at.wrapping_mul(2_654_435_761) % all.len();
        assert!(packs.read(places[at]).unwrap().raw == all[at]);
    }
    println!("2000 random reads in {:.1?}", started.elapsed());
}

fn bytes_on_disk(directory: &Path) -> u64 {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}
