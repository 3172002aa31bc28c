//! Records to bytes: one file a format, each a pure function.

mod columns;
mod dry_run;
mod explain;
mod lock;
mod plan_schema;
mod requests;
mod run;
mod run_human;
mod status;

pub use dry_run::{
    COMMENT_LIMIT, DryRun, dry_run_github, dry_run_human, dry_run_json, dry_run_markdown,
};
pub use explain::{Topic, explain, topic, topics};
pub use lock::{lock_human, lock_text};
pub use plan_schema::{plan_schema, type_schema};
pub use requests::{RequestFormat, requests};
pub use run::{Record, RestoreReport, RunReport, RunStatus, Verdict, run_report};
pub use run_human::{duration, run_human};
pub use status::{StatusRow, status_human, status_json};

use serde::Serialize;

/// A document for machines; they end with a line's end.
fn pretty<T: Serialize>(document: &T) -> String {
    // Structs of strings and numbers: serde_json cannot fail on them.
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}
