//! redrill runs version-controlled restore plans against AWS Backup, each restore exactly once.
//!
//! The modules stand in the order of the work. Verbs are stages: each turns one value into the next, and
//! imports only those before it. A noun that three of them share has a room of its own among them. Before them all are
//! [`ids`]: what things are called, each of a type of its own.
//!
//! 1. [`diagnostic`]: what is wrong, where, and what to write instead; every stage reports through it.
//! 2. [`parse`]: text to [`parse::Document`], with the place of everything.
//! 3. [`render`]: document and inputs to values; secrets known, unknowns marked.
//! 4. [`rules`]: what AWS asks of each resource type, from `schemas/*.yaml`.
//! 5. [`validate`]: values and rules to requests that AWS is expected to take, or to findings.
//! 6. [`plan`]: steps in order of dependency, requests, tokens.
//! 7. [`backup`]: what AWS Backup is, to redrill; the traits that read and write it, and the rates that it publishes.
//! 8. [`permissions`]: a plan to the least policies with which it can be carried out.
//! 9. [`resolve`]: selectors and locks to recovery points.
//! 10. [`state`]: events, what may follow what, and what a run has come to; the trait of a journal.
//! 11. [`diff`]: a plan and what has happened to changes.
//! 12. [`execute`]: changes to events.
//! 13. [`cleanup`]: what a run has made to nothing; owns the trait that deletes.
//! 14. [`preflight`]: a plan to what stands in its way, before anything is sent; owns the trait that looks.
//! 15. [`forecast`]: a plan and what has happened before to how long a run would take.
//! 16. [`report`]: records to bytes.
//! 17. [`evidence`]: a run to a bundle that can be checked without it.
//! 18. [`proof`]: a run to lines of the ledger, which says what is proven to be restorable.
//! 19. [`controls`]: a run to what its record answers of the controls of DORA, SOC 2, ISO and NIST.
//! 20. [`coverage`]: what is protected, against what is proven.
//! 21. [`export`]: a plan to files with which it is restored without redrill.
//! 22. [`author`]: recovery points and rules to a plan to start from.
//! 23. [`session`]: the program on one page.
//!
//! The rest is the world; each implements a trait of a stage or consumes its events: [`aws`], [`journal`],
//! [`inventory`], [`process`] and [`terminal`]. Two crates beside this one know nothing of it: the format of inventories
//! (redrill-inventory) and the emulator (redrill-emulator).
//!
//! [`cli`] is what was typed.
//!
//! The library is [`session`], with the stores of [`journal`] and the emulator of [`rehearsal`]; `examples/drill.rs` goes
//! through it. The other rooms are public for the tests, and change as they have to.

#[doc(hidden)]
pub mod author;
#[doc(hidden)]
pub mod backup;
#[doc(hidden)]
pub mod cleanup;
#[doc(hidden)]
pub mod controls;
#[doc(hidden)]
pub mod coverage;
#[doc(hidden)]
pub mod diagnostic;
#[doc(hidden)]
pub mod diff;
#[doc(hidden)]
pub mod evidence;
#[doc(hidden)]
pub mod execute;
#[doc(hidden)]
pub mod export;
#[doc(hidden)]
pub mod forecast;
#[doc(hidden)]
pub mod ids;
#[doc(hidden)]
pub mod parse;
#[doc(hidden)]
pub mod permissions;
#[doc(hidden)]
pub mod plan;
#[doc(hidden)]
pub mod preflight;
#[doc(hidden)]
pub mod proof;
#[doc(hidden)]
pub mod render;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod resolve;
#[doc(hidden)]
pub mod rules;
pub mod session;
#[doc(hidden)]
pub mod state;
#[doc(hidden)]
pub mod validate;

#[doc(hidden)]
pub mod aws;
#[doc(hidden)]
pub mod inventory;
pub mod journal;
pub mod process;
pub mod rehearsal;
#[doc(hidden)]
pub mod terminal;

#[doc(hidden)]
pub mod cli;
