//! Names, permissions and lock of every file we own. To be written.
