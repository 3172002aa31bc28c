//! A plan for AWS Step Functions: one fixed state machine, and the plan as the data that it carries out.
//!
//! The machine (`machine.asl.json`) never changes with the plan, because unrolled into states a plan of 400 restores is larger
//! than a definition may be. What it is given is a list of pools; a pool is a file of lanes in S3, a lane a list of levels, a
//! level a list of restores with their whole requests. Step Functions calls AWS Backup in its own Region only, so each Region
//! of the plan has a machine of its own. docs/without-redrill.md says what follows from that.

mod drift;
mod items;
mod lanes;
mod machine;
mod names;
mod notes;
mod pages;
mod pools;
mod refusals;
mod roles;
mod timing;

pub use drift::step_functions_drift;
pub use roles::machine_policies;

use std::collections::BTreeSet;

use super::{Files, Subject};
use crate::diagnostic::Findings;
use crate::ids::{RegionName, StepIndex};
use crate::plan::Plan;
use lanes::lanes;
use names::Names;
use notes::Notes;
use pools::Pools;
use refusals::Refusals;

/// Part of a plan that a state machine cannot carry out, and that is left out knowingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Omission {
    /// Commands that judge what came back.
    Checks,
    /// Commands that switch over to it.
    Cutover,
    /// `on_failure: stop`.
    Stop,
    /// Restores that cannot go, with all that need them.
    Restores,
}

impl Omission {
    /// Its name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Cutover => "cutover",
            Self::Stop => "stop",
            Self::Restores => "restores",
        }
    }
}

/// Options of the export.
#[derive(Clone, Debug)]
pub struct StepFunctions {
    /// The bucket of items and results; `{region}` in it is the Region.
    pub bucket: String,
    /// Prefix of their keys: nothing, or a text that ends with `/`.
    pub prefix: String,
    /// Parts that may be left out.
    pub without: BTreeSet<Omission>,
    /// True if a run follows it, which can leave out nothing more.
    pub is_followed: bool,
}

/// Placeholder for the Region in the name of the bucket.
const REGION: &str = "{region}";

/// Checks that an earlier export is one for Step Functions, which this one replaces.
///
/// # Errors
///
/// Why not.
pub fn is_for_step_functions(
    _: &Files,
    read: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<(), String> {
    match read("restore.sh") {
        Some(_) => Err("has a kit".to_owned()),
        None => Ok(()),
    }
}

/// The plan for AWS Step Functions, with what its author should know.
///
/// # Errors
///
/// With everything that cannot go there.
pub fn step_functions(
    subject: &Subject<'_>,
    options: &StepFunctions,
) -> Result<(Files, Findings), Findings> {
    let mut refusals = Refusals::new(subject, options);
    let chosen = refusals.chosen();
    let mut notes = Notes::new(subject, &chosen);
    let regions = regions_of(subject.plan, &chosen.steps);
    refusals.find_bucket(&options.bucket, &regions);
    let share = refusals.share(regions.len());
    let mut files = Files::default();
    let mut pages = Vec::new();
    for region in &regions {
        let of_region =
            |at: &StepIndex| subject.plan.target_of(&subject.plan.steps[*at]).region == *region;
        let members: Vec<StepIndex> = chosen.steps.iter().copied().filter(of_region).collect();
        let names = Names::new(subject.plan, options, region, &members);
        let lanes = lanes(subject.plan, &members);
        refusals.find_strangers(&lanes, &mut notes);
        let pools = Pools::new(subject.plan, lanes, share);
        let items = items::items(subject.plan, &pools, &names);
        refusals.find_large(&items);
        let folder = match regions.len() {
            1 => String::new(),
            _ => format!("{region}/"),
        };
        let region = pages::Region {
            names: &names,
            items: &items,
            folder: &folder,
        };
        pages::add(&mut files, subject.plan, &region, &members);
        pages.push(region.page(subject.plan, &members));
    }
    let findings = refusals.into_findings();
    if findings.has_errors() {
        return Err(findings);
    }
    files.add("README.md", pages::readme(subject, options, &notes, pages));
    Ok((files.with_sums(), findings))
}

/// State transitions of the plan's machines by Region, if each restore takes as long as is expected.
///
/// # Errors
///
/// With everything that cannot go there at all.
pub fn state_transitions(subject: &Subject<'_>) -> Result<Vec<(RegionName, u64)>, Findings> {
    let options = StepFunctions {
        // No name is a part of the number.
        bucket: format!("machines-{REGION}"),
        prefix: String::new(),
        without: BTreeSet::from([Omission::Checks, Omission::Cutover, Omission::Stop]),
        is_followed: false,
    };
    let mut refusals = Refusals::new(subject, &options);
    let chosen = refusals.chosen();
    let mut notes = Notes::new(subject, &chosen);
    let regions = regions_of(subject.plan, &chosen.steps);
    let share = refusals.share(regions.len());
    let mut counted = Vec::with_capacity(regions.len());
    for region in regions {
        let of_region =
            |at: &StepIndex| subject.plan.target_of(&subject.plan.steps[*at]).region == region;
        let members: Vec<StepIndex> = chosen.steps.iter().copied().filter(of_region).collect();
        let names = Names::new(subject.plan, &options, &region, &members);
        let lanes = lanes(subject.plan, &members);
        refusals.find_strangers(&lanes, &mut notes);
        let items = items::items(
            subject.plan,
            &Pools::new(subject.plan, lanes, share),
            &names,
        );
        counted.push((region, items.transitions));
    }
    let findings = refusals.into_findings();
    match findings.has_errors() {
        true => Err(findings),
        false => Ok(counted),
    }
}

/// The Regions of some steps, in the plan's order.
fn regions_of(plan: &Plan, steps: &[StepIndex]) -> Vec<RegionName> {
    let mut regions = Vec::new();
    for at in steps {
        let region = &plan.target_of(&plan.steps[*at]).region;
        if !regions.contains(region) {
            regions.push(region.clone());
        }
    }
    regions
}
