//! Work that a silent run waits for.

use serde::{Deserialize, Serialize};

use crate::ids::RestoreName;
use crate::render::Secrets;

/// Work that a run waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// Restore jobs that AWS is working on.
    pub jobs: usize,
    /// Jobs that have gone on for the longest, each with its seconds.
    pub longest: Vec<(RestoreName, i64)>,
    /// Requests that AWS has not answered with a job.
    pub requests: usize,
    /// Restores that somebody else is to start.
    pub elsewhere: usize,
    /// Checks that run: whose, and what they are called.
    pub checks: Vec<(Option<RestoreName>, String)>,
    /// Pages that were read so far of a listing of jobs.
    pub pages: u32,
    /// Calls that AWS does not answer as it should: the last answer, and for how many seconds.
    pub trouble: Vec<(String, i64)>,
}

impl Awaited {
    /// Takes secrets out of what AWS says. Names are in the plan as they stand.
    pub(super) fn redact(&mut self, secrets: &Secrets) {
        let Self {
            jobs: _,
            longest: _,
            requests: _,
            elsewhere: _,
            checks: _,
            pages: _,
            trouble,
        } = self;
        for (message, _) in trouble {
            secrets.redact_sentence(message);
        }
    }
}
