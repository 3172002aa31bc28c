//! Records to bytes: one file a format, each a pure function.

mod backtest;
mod cleanup_human;
mod columns;
mod compare;
mod controls;
mod dry_run;
mod explain;
mod failure;
mod forecast;
mod forecast_html;
mod format;
mod lock;
pub(crate) mod markdown;
mod plan_schema;
mod policies;
mod preflight;
mod preflight_junit;
mod record;
mod requests;
mod run;
mod run_html;
mod run_human;
mod run_junit;
mod run_markdown;
mod status;
mod status_human;
mod timeline;

pub use backtest::{backtest_human, backtest_json};
pub use cleanup_human::cleanup_human;
pub use compare::{Comparison, Difference, compare};
pub use controls::{
    AnswerState, CONTROLS_ARE, ControlAnswer, ControlReport, ControlsReport, FrameworkReport,
};
pub(crate) use dry_run::size;
pub use dry_run::{
    COMMENT_LIMIT, DryRun, NOT_CANCELLED, dry_run_github, dry_run_human, dry_run_json,
    dry_run_markdown,
};
pub use explain::{Topic, explain, explain_rule, topic, topics};
pub use forecast::{
    ForecastComparison, ForecastReport, forecast_human, forecast_json, forecast_line,
    forecast_markdown,
};
pub use forecast_html::forecast_html;
pub use format::Format;
pub use lock::{lock_human, lock_text};
pub use plan_schema::{explain_plan_key, plan_keys, plan_schema, type_schema};
pub use policies::{policies_cloudformation, policies_json, policies_terraform};
pub use preflight::{PreflightReport, preflight_human, preflight_json, preflight_markdown};
pub use preflight_junit::preflight_junit;
pub use record::{Record, run_report};
pub use requests::{RequestFormat, requests};
pub use run::notices::{Notice, NoticeKind, minute};
pub use run::{
    CheckReport, CheckStatus, Cleanup, Objective, ObjectivesReport, RestoreReport, RunReport,
    RunStatus, Runner, Try, Verdict,
};
pub use run_html::run_html;
pub use run_human::{run_human, signed};
pub use run_junit::run_junit;
pub use run_markdown::run_markdown;
pub use status::{StatusRow, status_json};
pub use status_human::{StatusDetail, runs_human, status_human};

use serde::Serialize;

/// A document for machines; they end with a line's end.
pub(crate) fn pretty<T: Serialize>(document: &T) -> String {
    // Structs of strings and numbers: serde_json cannot fail on them.
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}
