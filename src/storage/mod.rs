//! What is kept on disk, always sealed.

pub mod data_dir;
pub mod database;
pub mod disk;
pub mod index;
pub mod packs;
pub mod pictures;
