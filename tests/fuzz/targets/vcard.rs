//! Address cards, on any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::mail::attachment::card;

fuzz_target!(|bytes: &[u8]| {
    let Ok(cards) = card::read(bytes) else { return };
    let written = format!("{cards:?}").len();
    assert!(written <= 200 * bytes.len() + 10_000, "{written} bytes of {}", bytes.len());
});
