//! One test binary, so that everything links once and runs in parallel.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test ends where something is not as it should be, and lays out files itself"
)]

mod authoring;
mod bucket;
mod cases;
mod cli;
mod complete;
mod controls;
mod coverage;
mod crash;
mod dependencies;
mod drill;
mod dry_run;
mod emulator;
mod engine;
mod export;
mod findings;
mod for_each;
mod forecast;
mod getting;
mod harness;
mod journals;
mod layers;
mod licences;
mod literals;
mod model;
mod npm;
mod on_step_functions;
mod permissions;
mod preflight;
mod proof;
mod python;
mod questions;
mod reading;
mod rules;
mod s3_faults;
mod selectors;
mod shared_state;
mod spelling;
mod state;
mod step_functions;
mod store;
mod support;
mod targets;
mod templates;
mod tokens;
mod torture;
mod wire;
mod words;
