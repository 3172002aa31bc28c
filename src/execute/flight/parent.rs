//! A job that others are nested in.

use crate::backup::{Job, Pages};
use crate::state::NestedJob;

/// A job that has ended, of which nested ones are being listed.
pub(in crate::execute) struct Parent {
    pub(in crate::execute) job: Job,
    pub(in crate::execute) jobs: Vec<NestedJob>,
    pub(in crate::execute) pages: Pages,
    pub(in crate::execute) tries: u32,
}
