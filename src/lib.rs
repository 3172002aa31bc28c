//! redrill runs version-controlled restore plans against AWS Backup, each restore exactly once.
//!
//! The modules stand in the order of the work. Verbs are stages: each turns one value into the next and imports
//! only those before it.
//!
//! 1. [`diagnostic`]: what is wrong, where, and what to write instead; every stage reports through it.
//! 2. [`parse`]: text to [`parse::Document`], with the place of everything.
//! 3. [`render`]: document and inputs to values; secrets known, unknowns marked.
//! 4. [`validate`]: values and `schemas/*.yaml` to requests that AWS is expected to take, or to findings.
//! 5. [`plan`]: steps in order of dependency, requests, tokens.
//! 6. [`diff`]: a plan and what has been observed to changes; owns the trait that only reads.
//! 7. [`execute`]: changes to events; owns the traits that write, keep time and keep the journal.
//! 8. [`cleanup`]: what a run has made to nothing; owns the trait that deletes.
//! 9. [`report`]: records to bytes.
//! 10. [`evidence`]: a run to a bundle that can be checked without it.
//! 11. [`author`]: recovery points and rules to a plan to start from.
//!
//! Nouns are the world; each implements a trait of a stage or consumes its events: [`aws`], [`journal`],
//! [`inventory`], [`process`] and [`terminal`]. Two crates beside this one know nothing of it: the format of inventories
//! (redrill-inventory) and the emulator (redrill-emulator).
//!
//! [`session`] is the program on one page; [`cli`] is what was typed.

pub mod author;
pub mod cleanup;
pub mod diagnostic;
pub mod diff;
pub mod evidence;
pub mod execute;
pub mod parse;
pub mod plan;
pub mod render;
pub mod report;
pub mod validate;

pub mod aws;
pub mod inventory;
pub mod journal;
pub mod process;
pub mod terminal;

pub mod cli;
pub mod session;
