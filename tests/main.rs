//! The integration tests: stories about Alice and Bob, told through Mailkeep's own doors (the command line, the REST API,
//! the pages) and checked on what real mail servers saw. One binary, because linking is what costs.
//!
//! `tests/run` installs what these need and runs them. Where something is missing they fail and say what; none is skipped
//! in silence.
mod support;

mod accounts;
mod architecture;
mod bad_input;
mod browser;
mod corpora;
mod damage;
mod disk_full;
mod doors;
mod import;
mod kill;
mod leak;
mod search;
mod send;
mod sync;
