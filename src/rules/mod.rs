//! What AWS Backup asks of each resource type, as `schemas/*.yaml` says it, with the source of each rule.

mod coerce;
mod described;
mod estimate;
mod include;
mod init;
mod place;
mod schema;
mod slips;
mod wording;

pub(crate) use coerce::{boolean, coerce};
pub(crate) use estimate::UNKNOWN as UNKNOWN_ESTIMATE;
pub(crate) use init::{Children, Init, Way};
pub(crate) use place::{Kind, Place, Step};
pub use schema::{Composite, Rules, RulesError};
pub(crate) use schema::{Level, Note, Schema, note};
pub use slips::written;
pub(crate) use slips::{LISTS, Slip, of as slip};
pub use wording::{example, expected};
