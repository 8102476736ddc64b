//! Stories about packs.
