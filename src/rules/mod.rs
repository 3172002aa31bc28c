//! Requirements of AWS Backup for each resource type, as `schemas/*.yaml` gives them, with the source of each rule.

mod coerce;
mod estimate;
mod facts;
mod files;
mod handlers;
mod include;
mod init;
mod notes;
mod place;
mod points;
mod schema;
mod slips;
mod walls;
mod wording;

pub(crate) use coerce::{boolean, coerce};
pub(crate) use estimate::{COLD, Estimate, MIB, UNKNOWN as UNKNOWN_ESTIMATE};
pub(crate) use facts::{
    Deletes, Facts, Identifier, Lacks, RestoreQuota, RoleNeed, SourceKey, common, value,
    without_role,
};
pub(crate) use files::title_by_letters;
pub(crate) use handlers::HandlerActions;
pub(crate) use init::{Children, Init, Way};
pub use notes::{Composite, RestoreFailure};
pub(crate) use notes::{Level, SchemaNote, TypeNotes, note};
pub(crate) use place::{PlacedText, ReferenceKind, ReferencePlace};
pub(crate) use points::{PointForms, beginning, is_point, points};
pub(crate) use schema::Schema;
pub use schema::{Rules, RulesError};
pub use slips::written;
pub(crate) use slips::{LISTS, Slip, of as slip};
pub(crate) use walls::{DefaultPick, Wall, WallHere, WallRead, kinds_in};
pub use wording::{example, expected};
