//! The mail itself. To be written.
