//! How bytes leave and arrive: the one door to the outside.

pub mod autoconfig;
pub mod dialer;
pub mod imap;
pub mod smtp;
