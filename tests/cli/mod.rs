//! Commands as they are typed: full output and exit codes.

mod broken_world;
mod exits;
mod lock;
mod over;
mod profiles;
mod secrets;
mod selectors;
mod status;
mod twice;
mod worlds;
