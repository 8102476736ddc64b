//! Mailkeep: self-hosted webmail for one person. Mail comes in over IMAP, is kept encrypted, is found, read and answered
//! in the browser.
//!
//! The floors import downwards only; `tests/architecture.rs` holds them to it.
//!
//! ```text
//!         web        cli       tasks          front doors: people, scripts, time
//!            \        |        /
//!                  engine                     what the program does with mail
//!                /        \
//!           storage      network              the outside world: disk | wire
//!                \        /
//!                  crypto     worker          secrets (pure) | hostile files, in a process of their own
//!                     |
//!                   mail                      what mail is (pure)
//! ```

pub mod cli;
pub mod crypto;
pub mod engine;
pub mod mail;
pub mod network;
pub mod storage;
pub mod tasks;
pub mod web;
pub mod worker;
