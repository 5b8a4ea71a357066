//! The archive on disk.
pub mod keymap;
