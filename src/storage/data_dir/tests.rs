//! Stories about data directories.
