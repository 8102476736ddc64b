//! MIME, parts, texts, answers, on any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::mail::html::visible_text;
use mailkeep_fuzz::mail::{message, reply, text};

fuzz_target!(|raw: &[u8]| {
    let message = message::parse(raw);
    for (at, part) in message.parts.iter().enumerate() {
        assert_eq!(part.n as usize, at + 1);
        assert!(part.header.start <= part.header.end && part.header.end <= raw.len());
        assert!(part.body.start <= part.body.end && part.body.end <= raw.len());
        assert!(part.parent.is_none_or(|parent| parent < part.n), "a part lies in one before it");
        let decoded = part.decoded(raw);
        if !part.is_multipart() {
            assert_eq!(decoded.len() as u64, part.bytes, "part {} is as long as it says", part.n);
        }
        if let Some(name) = &part.name {
            assert!(!name.is_empty() && !name.contains(['/', '\\', '\0', '\n', '\r']), "{name:?} is safe to save under");
        }
        let _text = part.text(raw);
    }
    let plain = message.plain().unwrap_or_default();
    assert_eq!(text::blocks(&plain).iter().map(|block| block.text).collect::<String>(), plain);
    let seen = message.html().map(|html| visible_text(html).text).unwrap_or(plain);
    assert!(text::snippet(&seen, 120).chars().count() <= 121);
    let own = ["alice@example.org".to_owned()];
    let answer = reply::reply(&message, &seen, &own, true, "Monday");
    assert!(!answer.subject.contains(['\n', '\r']), "{:?}", answer.subject);
    let _forward = reply::forward(&message, &seen, "Monday");
    let _kinds = message.kinds();
});
