//! What `redrill preflight` finds, against the embedded emulator.

mod many;
mod worlds;
