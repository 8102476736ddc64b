//! Messages between one's own devices, and the code that pairs two, on any bytes: whatever is read is written back as the same
//! bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::crypto::devices::code::Code;
use mailkeep_fuzz::mail::sma::{
    Body, Contents, DeviceId, Entry, FolderKind, Keys, Kind, Letter, Marker, Payload, Signed, Statement,
};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(marker) = Marker::parse(&text) {
        assert_eq!(Marker::parse(&marker.to_field()), Ok(marker));
    }
    if let Ok(code) = text.parse::<Code>() {
        let again = code.to_text();
        let again: Code = again.expose().parse().expect("what is shown is read");
        assert_eq!((again.device(), again.fingerprint(), again.secret()), (code.device(), code.fingerprint(), code.secret()));
    }
    // Whatever is in it, a code with the right checksum is read back; a device has nineteen digits at most.
    if let Some((parts, _)) = bytes.split_first_chunk::<88>() {
        let (number, rest) = parts.split_at(8);
        let number = u64::from_be_bytes(number.try_into().expect("eight bytes"));
        let keys = Keys {
            signing: rest[..32].try_into().expect("32 bytes"),
            agreement: rest[32..64].try_into().expect("32 bytes"),
        };
        if let Ok(device) = DeviceId::from_number(number) {
            let code = Code::from_parts(device, &keys, rest[64..].try_into().expect("16 bytes"));
            let again: Code = code.to_text().expose().parse().expect("what is shown is read");
            assert!(again.device() == device && again.is_of(&keys) && again.secret() == code.secret());
        }
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
