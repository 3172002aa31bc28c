//! The dry run: what would be sent, what is other than before, and that nothing is touched.

#[cfg(unix)]
pub(crate) mod action;
mod against_git;
mod against_others;
mod bytes;
mod drift;
mod large;
mod locked;
pub(crate) mod outputs;
pub(crate) mod repository;
mod saved;
mod targets;
mod untouched;
