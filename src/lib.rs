//! redrill runs version-controlled restore plans against AWS Backup, each restore exactly once.

pub mod aws;
pub mod diagnostic;
pub mod diff;
pub mod emulator;
pub mod execute;
pub mod inventory;
pub mod journal;
pub mod parse;
pub mod plan;
pub mod render;
pub mod report;
pub mod terminal;
pub mod validate;
