//! The emulator, from outside, over HTTP. One test binary, so that everything links once and runs in parallel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends where something is not as it should be, and lays out files itself"
)]

mod access_points;
mod clients;
mod contract;
mod declared;
mod deletion;
mod examples;
mod fault_kinds;
mod faults;
mod hostility;
mod inventories;
mod jobs;
mod listing;
mod options;
mod outside;
mod permissions;
#[path = "../../../tests/python.rs"]
mod python;
mod raw;
mod recovery_points;
mod served;
mod services;
mod state;
mod tokens;
mod wire;
