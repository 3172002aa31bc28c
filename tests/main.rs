//! One test binary, so that everything links once and runs in parallel.

mod cases;
mod cli;
mod complete;
mod crash;
mod emulator;
mod layers;
mod support;
mod tokens;
mod wire;
