//! Setup messages, on any text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::crypto::openpgp::setup::{SetupCode, begin_of, open};

fuzz_target!(|text: &str| {
    let _ = SetupCode::parse(text).map(|code| assert_eq!(code.to_string().len(), 44));
    let Ok(code) = SetupCode::parse("1742-0185-6197-1303-7016-8412-3581-4441-0597") else { return };
    if let Some(begin) = begin_of(text) {
        assert!((1..=4).contains(&begin.len()));
    }
    let _ = open(text, &code);
});
