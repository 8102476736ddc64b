//! The fields of Autocrypt, on any text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mailkeep_fuzz::mail::autocrypt::{DraftState, Gossip, Header, changes_peers, sole};
use mailkeep_fuzz::mail::message;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(header) = Header::parse(&text) {
        assert!(header.address.contains('@') && !header.keydata.is_empty());
        if let Some(value) = header.to_field() {
            assert!(value.len() <= 10 << 10);
            assert_eq!(Header::parse(&value).as_ref(), Ok(&header), "what is written is read again");
            let read = |key: &[u8]| Some(key.to_vec());
            let found = Some((header.keydata.clone(), header.mutual));
            assert_eq!(sole([value.as_str()].into_iter(), &header.address, read), found);
            assert_eq!(sole([value.as_str(); 2].into_iter(), &header.address, read), None, "two cancel each other out");
        }
    }
    if let Ok(gossip) = Gossip::parse(&text)
        && let Some(value) = gossip.to_field()
    {
        assert_eq!(Gossip::parse(&value), Ok(gossip));
    }
    if let Ok(state) = DraftState::parse(&text) {
        assert_eq!(DraftState::parse(&state.to_field()), Ok(state));
    }
    let _counts = changes_peers(&message::parse(bytes));
});
