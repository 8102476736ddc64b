//! What is kept on disk, always sealed but for one file that the owner may ask for.

pub mod data_dir;
pub mod database;
pub mod disk;
pub mod index;
pub mod packs;
pub mod pictures;
pub mod unlock_onion;
