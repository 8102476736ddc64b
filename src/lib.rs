//! Mailkeep: self-hosted webmail for one person.

pub mod crypto;
pub mod mail;
pub mod network;
pub mod storage;
pub mod web;
