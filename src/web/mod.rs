//! The web floor: what a browser or a script of the owner may ask of the running program.

pub mod view;
