//! A person's devices: how they find each other through the mailbox, pair, and keep keys and trust in step.

pub mod pairing;

#[cfg(test)]
mod tests;
