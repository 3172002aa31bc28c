//! Text to document: YAML with the place of everything that was written.
//!
//! Templates are not looked at here: they are evaluated inside scalars later, so a variable cannot change the
//! structure that this stage has seen.

mod bounds;
mod checks;
mod document;
mod fields;
mod file_kind;
mod lock;
mod number;
mod scalar;
mod selector;
mod settings;
mod target;
mod variables;
mod yaml;

pub use bounds::OF_VARIABLE;
pub use checks::{Check, Expect};
pub use document::{Document, Restore, document};
pub use file_kind::FileKind;
pub use lock::{LOCK_VERSION, LockEntry, LockFile, lock_file};
pub use number::Number;
pub(crate) use scalar::within;
pub use selector::{Placed, Point, SelectorTemplate, duration};
pub use settings::{AllowTemplates, ConcurrencyLimits, DrillRuns, Objectives, OnFailure};
pub use target::TargetTemplate;
pub use variables::{FileValues, Variable, VariableKind, given};
pub use yaml::{Kind, MappingEntry, Node, yaml};
