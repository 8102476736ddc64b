//! Secrets of the vault. To be written.
