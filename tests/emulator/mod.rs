//! The emulator, from outside, over HTTP.
