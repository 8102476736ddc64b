//! Calendar files, on any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::mail::attachment::calendar;

fuzz_target!(|bytes: &[u8]| {
    let Ok(calendar) = calendar::read(bytes) else { return };
    assert!(calendar.events.len() <= calendar.total as usize, "no more are shown than there are");
    let written = format!("{calendar:?}").len();
    assert!(written <= 200 * bytes.len() + 10_000, "{written} bytes of {}", bytes.len());
});
