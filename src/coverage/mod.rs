//! Comparison of what is protected with what is proven: recovery points, the ledger and a policy give the state of
//! every resource.
//!
//! All of it is pure and depends on nothing but its input and a date: [`Coverage::at`] judges every resource,
//! [`Drills::at`] every drill. `docs/coverage.md` explains the states.

mod calendar;
mod document;
mod human;
mod judge;
mod junit;
mod markdown;
mod page;
mod policy;
mod resources;
mod state;

pub use calendar::{DrillStanding, DrillState, DrillWindow, Drills};
pub use document::{coverage_json, drills_json};
pub use human::{coverage_human, drills_human};
pub use junit::{coverage_junit, drills_junit};
pub use markdown::{coverage_markdown, drills_markdown};
pub use page::coverage_html;
pub use policy::{CoveragePolicy, CoveragePolicyError, Matcher};
pub use resources::{ProtectedResource, protected};
pub use state::{Coverage, CoverageRow, CoverageState, CoverageTotals, TrendPoint};
