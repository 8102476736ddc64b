//! Messages between one's own devices, on any bytes: whatever is read is written back as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::mail::sma::{Body, Contents, Entry, FolderKind, Kind, Letter, Marker, Payload, Signed, Statement};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(marker) = Marker::parse(&text) {
        assert_eq!(Marker::parse(&marker.to_field()), Ok(marker));
    }
    for delimiter in [None, Some('/'), Some('.')] {
        if let Some(FolderKind::Inbox(device)) = FolderKind::of(&text, delimiter) {
            assert!(text.ends_with(&device.inbox()));
        }
    }
    if let Ok(letter) = Letter::read(bytes) {
        read(&letter.signed.payload);
        let (_, again) = letter.write("alice@example.org", [0; 16], 0);
        assert_eq!(Letter::read(&again), Ok(letter));
    }
    if let Ok(signed) = Signed::parse(bytes) {
        assert_eq!(signed.to_bytes(), bytes);
        read(&signed.payload);
    }
    read(bytes);
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(statement.to_bytes(), bytes);
    }
    if let Ok(Some(entry)) = Entry::parse(bytes) {
        assert_eq!(entry.to_bytes(), bytes);
    }
    if let Ok(contents) = Contents::parse(bytes) {
        let again = Contents { passed_over: 0, ..contents };
        assert_eq!(Contents::parse(&again.to_bytes()), Ok(again));
    }
    for kind in Kind::ALL {
        if let Ok(body) = Body::parse(kind, bytes) {
            assert_eq!(body.to_bytes(), bytes);
        }
    }
});

fn read(bytes: &[u8]) {
    if let Ok(payload) = Payload::parse(bytes) {
        assert_eq!(payload.to_bytes(), bytes);
    }
}
