//! The emulator and the rest of redrill: each judges a request, and one waits for the other.

#[path = "../../crates/redrill-emulator/tests/clients.rs"]
#[allow(dead_code, reason = "the emulator's own tests use the rest")]
mod clients;

mod at_full_speed;
mod judgement;
mod values;

use clients::*;
