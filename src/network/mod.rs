//! How bytes leave and arrive: the one door to the outside.

pub mod address_guard;
pub mod autoconfig;
pub mod avatar;
pub mod dialer;
pub mod doh;
pub mod http;
pub mod imap;
pub mod keyserver;
pub mod log;
pub mod smtp;
pub mod web_address;
mod wire;
pub mod wkd;

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod test_socks;
