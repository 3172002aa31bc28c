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
pub use selector::{Placed, Point, Selector, duration};
pub use settings::{Limits, Objectives, OnFailure};
pub use target::Target;
pub use variables::{Given, Variable, VariableKind, given};
pub use yaml::{Entry, Kind, Node, yaml};
