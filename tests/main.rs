//! The integration tests: stories about Alice and Bob, told through Mailkeep's own doors (the command line, the REST API,
//! the pages) and checked on what real mail servers saw. One binary, because linking is what costs.
//!
//! `tests/run` installs what these need and runs them. Where something is missing they fail and say what; none is skipped
//! in silence.

#![expect(unreachable_pub, reason = "a test binary has no outside: `pub` only says what the stories use")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a story, whatever is not as told shall end it"
)]

mod support;

mod accounts;
mod architecture;
mod attachments;
mod autoconfig;
mod avatars;
mod bad_input;
mod bad_keys;
mod bounds;
mod browser;
mod cage;
mod corpora;
mod damage;
mod devices;
mod devices_away;
mod devices_code;
mod devices_crash;
mod devices_hostile;
mod devices_pages;
mod devices_servers;
mod disk_full;
mod doors;
mod envelopes;
mod faults;
mod frame;
mod hidden;
mod import;
mod invitations;
mod kill;
mod leak;
mod lookup;
mod onion;
mod openpgp;
mod pages;
mod passkeys;
mod peers;
mod private;
mod private_pages;
mod recovery;
mod remote;
mod remote_access;
mod search;
mod send;
mod senders;
mod signatures;
mod sync;
mod tor;
mod unlock_onion;
mod worker;
