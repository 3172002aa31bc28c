//! The plan as a kit: a script for the AWS CLI, the requests, and a runbook to print.
//!
//! The requests are those that `run` sends, byte for byte. What is known only later is in them as `@@KIND:LEVEL:WHOSE@@`, and
//! the script fills it in and derives the token then (`docs/tokens.md`, in shell).

mod drift;
mod entry;
mod late;
mod runbook;
mod script;
mod summary;

pub use drift::{is_same_kit, kit_drift};
pub use runbook::MOST_PAGES;

use super::{Files, Subject};
use crate::diagnostic::Findings;
use entry::entries;

/// The plan as a kit.
///
/// # Errors
///
/// What of the plan cannot be carried, all of it.
pub fn kit(subject: &Subject<'_>) -> Result<Files, Findings> {
    let entries = entries(subject)?;
    let mut files = Files::default();
    for entry in &entries {
        files.add(&entry.path(), entry.body.as_str());
    }
    files.add_program("restore.sh", script::script(subject, &entries));
    files.add(summary::FILE, summary::summary(subject, &entries));
    let runbook = runbook::Runbook::new(subject, &entries);
    files.add("RUNBOOK.md", runbook.markdown());
    files.add("runbook.html", runbook.html());
    Ok(files.with_sums())
}
