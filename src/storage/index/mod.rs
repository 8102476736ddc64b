//! The search index. To be written.
