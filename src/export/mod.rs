//! A plan to files with which it is restored without redrill's own runner: the same requests with the same tokens.
//!
//! An export is a function of the settled plan: the same plan gives the same bytes, on every machine and every day. So what is
//! committed beside a plan can be compared with what the plan means now.

mod files;
mod kit;
mod step_functions;

pub use files::{Drift, Files};
pub use kit::{MOST_PAGES, is_same_kit, kit, kit_drift};
pub use step_functions::{
    Omission, StepFunctions, is_for_step_functions, machine_policies, state_transitions,
    step_functions, step_functions_drift,
};

use crate::plan::{Plan, Planner};
use crate::render::Known;

/// Plan to export, and what is known of it.
pub struct Subject<'a> {
    /// The plan's file, as it was typed.
    pub file: &'a str,
    /// The plan, settled.
    pub plan: &'a Plan,
    /// Planner that renders what is not settled yet.
    pub planner: &'a Planner,
    /// Facts that were looked up of its recovery points.
    pub known: &'a Known,
}
