//! Alice writes to Bob, and Mallory is in between.

mod corpora;
mod reading;
mod summary;
mod writing;

use super::*;
use crate::mail::message::{self, Message};

fn layer(raw: &str) -> Layer {
    outermost(raw.as_bytes(), &message::parse(raw.as_bytes()))
}

fn opened(outer: &str, payload: &str, sealed: bool) -> (Message, Unwrapped) {
    let unwrapped = unwrapped(outer.as_bytes(), payload.as_bytes(), sealed);
    (message::parse(&unwrapped.raw), unwrapped)
}

/// The text as a reader sees it.
fn text(message: &Message) -> String {
    message.plain().unwrap_or_else(|| message.html().unwrap_or_default().to_owned())
}
