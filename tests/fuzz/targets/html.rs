//! The sanitiser and the text view, on any markup.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::hold;
use mailkeep_fuzz::mail::html::visible_text;

fuzz_target!(|bytes: &[u8]| {
    let html = String::from_utf8_lossy(bytes);
    hold(&html);
    let seen = visible_text(&html).text;
    assert!(seen.len() <= 64 * html.len() + 1_000, "{} bytes of {}", seen.len(), html.len());
});
