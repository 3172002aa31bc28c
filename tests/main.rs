//! One test binary, so that everything links once and runs in parallel.

mod cases;
mod emulator;
mod python;
