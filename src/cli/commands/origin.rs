//! Origin of a run, for its report: who runs a plan, where, and which version of it.

use std::path::Path;

use super::Context;
use crate::cli::git::checked_out;
use crate::diagnostic::Source;
use crate::plan::sha256;
use crate::state::Origin;

/// The origin of a run of the plan in `file`.
pub(super) fn origin(
    file: &Path,
    source: &Source,
    rehearsal: bool,
    context: &Context<'_>,
) -> Origin {
    Origin {
        plan_sha256: sha256(&source.text),
        commit: checked_out(file),
        callers: Vec::new(),
        user: context.environment.user.clone(),
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        rehearsal,
    }
}
