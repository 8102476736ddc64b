//! Alice pairs a new device with an old one, and the provider in between does what it likes.

mod coded;
mod exchange;
mod mends;
mod pairing;
mod stories;
