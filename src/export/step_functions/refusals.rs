//! Parts of a plan that a state machine cannot carry out: all of them at once, each with its place in the plan.

use std::collections::{BTreeMap, BTreeSet};

use super::items::Items;
use super::lanes::Lane;
use super::notes::{Note, Notes};
use super::timing::MOST_EVENTS;
use super::{Omission, REGION, StepFunctions, Subject};
use crate::diagnostic::{Finding, Findings, Rule, Span, rule};
use crate::ids::{DocumentIndex, Indexed, RegionName, StepIndex};
use crate::parse::{Check, Document, OnFailure};
use crate::plan::{Plan, Step};
use crate::render::Fact;
use crate::rules::Facts;

/// Bytes that one state, and so the input of a lane, may hold
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>).
const MOST_BYTES: usize = 262_144;

/// The restores that are exported, each behind all it needs, and those that are left out.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) steps: Vec<StepIndex>,
    pub(super) left: Vec<(StepIndex, String)>,
}

/// Collector of the findings.
pub(super) struct Refusals<'a> {
    document: &'a Document,
    subject: &'a Subject<'a>,
    options: &'a StepFunctions,
    findings: Findings,
}

/// Reason why a restore cannot be exported, and what could be done about it.
struct Why {
    rule: &'static Rule,
    what: String,
    help: String,
    span: Option<Span>,
}

impl<'a> Refusals<'a> {
    /// Finds what stands in the way of a plan, whatever its restores are.
    pub(super) fn new(subject: &'a Subject<'a>, options: &'a StepFunctions) -> Self {
        let mut refusals = Self {
            document: subject.planner.document(),
            subject,
            options,
            findings: Findings::default(),
        };
        refusals.find_commands();
        refusals.find_stop();
        refusals
    }

    pub(super) fn into_findings(self) -> Findings {
        self.findings
    }

    fn plan(&self) -> &'a Plan {
        self.subject.plan
    }

    fn allows(&self, omission: Omission) -> bool {
        self.options.without.contains(&omission)
    }

    fn report(&mut self, span: Span, rule: &'static Rule, what: String, help: String) {
        let source = &self.document.source;
        self.findings
            .push(Finding::at(source, span, rule, what, help));
    }

    /// Checks and cutover: programs on the machine that `run` was typed on.
    fn find_commands(&mut self) {
        let document = self.document;
        let of_restores = document.restores.iter();
        let of_restores = of_restores.flat_map(|restore| {
            restore
                .checks
                .iter()
                .map(move |check| (Some(restore), check))
        });
        let of_plan = document.checks.iter().map(|check| (None, check));
        let checks: Vec<_> = match self.allows(Omission::Checks) {
            true => Vec::new(),
            false => of_restores.chain(of_plan).collect(),
        };
        for (restore, check) in checks {
            let finding = Finding::at(
                &document.source,
                check.name.span,
                rule::STEP_FUNCTIONS_COMMAND,
                format!(
                    "the check `{}` is a command, and a state machine runs none",
                    check.name.value
                ),
                "add `--allow-without checks`, and run it yourself once the restore is back; `redrill run` runs it",
            );
            self.findings.push(match restore {
                Some(restore) => finding.of_restore(&restore.name.value),
                None => finding,
            });
        }
        if self.allows(Omission::Cutover) {
            return;
        }
        let cutover: &[Check] = &document.cutover;
        for command in cutover {
            self.report(
                command.name.span,
                rule::STEP_FUNCTIONS_COMMAND,
                format!("the cutover `{}` is a command, and a state machine runs none", command.name.value),
                "add `--allow-without cutover`, and run it yourself; `redrill run --cutover` runs it".to_owned(),
            );
        }
    }

    fn find_stop(&mut self) {
        if self.plan().on_failure == OnFailure::Stop && !self.allows(Omission::Stop) {
            self.report(
                self.document.plan.span,
                rule::STEP_FUNCTIONS_ON_FAILURE,
                "`on_failure: stop` cannot be kept: what does not need a failed restore starts all the same".to_owned(),
                match self.options.is_followed {
                    true => "run without --on, which stops".to_owned(),
                    false => "add `--allow-without stop`, or use `redrill run`, which stops".to_owned(),
                },
            );
        }
    }

    /// The restores that can go. Those that cannot are left out where that is allowed, and refused elsewhere.
    pub(super) fn chosen(&mut self) -> Chosen {
        let plan = self.plan();
        let mut chosen = Chosen::default();
        let mut is_left: Indexed<StepIndex, bool> = vec![false; plan.steps.len()].into();
        // All instances of a restore need the same steps and run in the same target.
        let mut elsewhere: BTreeMap<DocumentIndex, Option<StepIndex>> = BTreeMap::new();
        for at in plan.order.iter().copied() {
            let step = &plan.steps[at];
            let region = &plan.target_of(step).region;
            let need = *elsewhere.entry(step.restore).or_insert_with(|| {
                let mut needs = step.needs.iter().copied();
                needs.find(|need| plan.target_of(&plan.steps[*need]).region != *region)
            });
            let left = step.needs.iter().find(|need| is_left[**need]);
            match (self.why(step, need), left) {
                (Some(why), _) if self.allows(Omission::Restores) => {
                    is_left[at] = true;
                    chosen.left.push((at, why.what));
                }
                (Some(why), _) => {
                    let source = &self.document.source;
                    let span = why.span.unwrap_or(step.span);
                    let finding = Finding::at(source, span, why.rule, why.what, why.help);
                    self.findings.push(finding.of_restore(&step.name));
                    chosen.steps.push(at);
                }
                (None, Some(need)) => {
                    is_left[at] = true;
                    let need = &plan.steps[*need].name;
                    chosen
                        .left
                        .push((at, format!("it needs `{need}`, which is left out")));
                }
                (None, None) => chosen.steps.push(at),
            }
        }
        if chosen.steps.is_empty() && !self.findings.has_errors() {
            self.report(
                self.document.plan.span,
                rule::STEP_FUNCTIONS_NOTHING,
                "no restore is left to export".to_owned(),
                "export without `--allow-without restores` to see why, or use `redrill run`"
                    .to_owned(),
            );
        }
        chosen
    }

    /// Returns the reason why a restore cannot be exported.
    fn why(&self, step: &Step, elsewhere: Option<StepIndex>) -> Option<Why> {
        let otherwise = match self.options.is_followed {
            true => "run without --on",
            false => "add `--allow-without restores` to leave it out with all that need it",
        };
        let why = |rule, what: String, help: &str| {
            Some(Why {
                rule,
                what,
                help: format!("{help}; or {otherwise}"),
                span: None,
            })
        };
        let plan = self.plan();
        let secrets = self.subject.planner.secrets();
        let target = plan.target_of(step);
        let request = &step.draft.request;
        if request.holds_secret(secrets) || target.redacted(secrets) != *target {
            return why(
                rule::STEP_FUNCTIONS_SECRET,
                "its request holds a secret, which an export would hold as well".to_owned(),
                "let the service make the password, where its type can",
            );
        }
        if !step.draft.pending.is_empty() {
            let facts: Vec<&str> = step.draft.pending.iter().map(Fact::as_str).collect();
            return why(
                rule::STEP_FUNCTIONS_PENDING,
                format!(
                    "its request waits for {}, known once that restore has ended",
                    facts.join(", ")
                ),
                "write the value in the plan",
            );
        }
        if Facts::of(&request.resource_type).is_none() {
            return why(
                rule::STEP_FUNCTIONS_TYPE,
                format!(
                    "redrill does not know the type `{}`: nothing says how many run at once, nor for how long",
                    request.resource_type
                ),
                "use `redrill run`, which passes it through",
            );
        }
        let need = &plan.steps[elsewhere?];
        let place = &plan.target_of(need).region;
        let restore = &self.document.restores[step.restore];
        let named = restore.needs.iter().find(|named| {
            need.name.as_ref() == named.value
                || self.document.restores[need.restore].name.value == *named.value
        });
        why(
            rule::STEP_FUNCTIONS_REGION,
            format!(
                "it needs `{}` of {place}, and a state machine sees only its own Region",
                need.name
            ),
            "use `redrill run`, which follows all Regions",
        )
        .map(|why| Why {
            span: named.map(|named| named.span),
            ..why
        })
    }

    /// A map reads its items in the machine's Region only
    /// (<https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>).
    pub(super) fn find_bucket(&mut self, bucket: &str, regions: &[RegionName]) {
        if regions.len() > 1 && !bucket.contains(REGION) {
            self.report(
                self.document.plan.span,
                rule::STEP_FUNCTIONS_BUCKET,
                format!(
                    "the restores are in {}, and a state machine reads a bucket of its own Region",
                    regions.join(", ")
                ),
                format!("name a bucket in each Region, as in `--bucket={bucket}-{REGION}`"),
            );
        }
    }

    /// Computes how much of `limits.concurrent` each Region's machine may use.
    pub(super) fn share(&mut self, regions: usize) -> Option<u32> {
        let concurrent = self.plan().limits.concurrent?;
        let share = concurrent / u32::try_from(regions).unwrap_or(u32::MAX).max(1);
        if share == 0 {
            self.report(
                self.document.plan.span,
                rule::STEP_FUNCTIONS_LIMIT,
                format!("`limits.concurrent` of {concurrent} cannot be kept by machines in {regions} Regions, which do not know of one another"),
                "raise the limit to one a Region at least, or use `redrill run`".to_owned(),
            );
        }
        Some(share.max(1))
    }

    /// Restores that wait for more than they need, because a level of a lane waits for all of the level before it. The README
    /// lists all of them, and a finding the first of each lane.
    pub(super) fn find_strangers(&mut self, lanes: &[Lane], notes: &mut Notes) {
        let plan = self.plan();
        for lane in lanes {
            let mut waiting: Vec<(StepIndex, String)> = Vec::new();
            for pair in lane.levels.windows(2) {
                let before: BTreeSet<StepIndex> = pair[0].iter().copied().collect();
                let mut strangers: BTreeMap<DocumentIndex, Option<StepIndex>> = BTreeMap::new();
                for at in &pair[1] {
                    let step = &plan.steps[*at];
                    let stranger = *strangers.entry(step.restore).or_insert_with(|| {
                        let needs: BTreeSet<StepIndex> = step.needs.iter().copied().collect();
                        before.difference(&needs).next().copied()
                    });
                    if let Some(stranger) = stranger {
                        let name = &plan.steps[stranger].name;
                        let what = format!(
                            "it also waits for `{name}`, and does not start where that fails"
                        );
                        notes.add(Note::Waits, step.name.as_str(), &what);
                        waiting.push((*at, what));
                    }
                }
            }
            let others = waiting.len().saturating_sub(1);
            let Some((at, mut what)) = waiting.into_iter().next() else {
                continue;
            };
            if others > 0 {
                what.push_str(&format!("; {others} more of its lane wait like that"));
            }
            let step = &plan.steps[at];
            let finding = Finding::at(
                &self.document.source,
                step.span,
                rule::STEP_FUNCTIONS_WAITS,
                what,
                "add it to `needs` if that is right; `redrill run` of the same run id starts what was not started",
            );
            self.findings.push(finding.of_restore(&step.name));
        }
    }

    /// Lanes that are larger than Step Functions takes.
    pub(super) fn find_large(&mut self, items: &Items) {
        for lane in items.pools.iter().flat_map(|pool| &pool.lanes) {
            let step = &self.plan().steps[lane.first];
            let of = format!("the lane of {} restores that begins with it", lane.restores);
            let what = match (lane.bytes > MOST_BYTES, lane.events > MOST_EVENTS) {
                (true, _) => format!(
                    "{of} has {} bytes, and Step Functions takes {MOST_BYTES}",
                    lane.bytes
                ),
                (false, true) => format!(
                    "{of} may have {} events, and {MOST_EVENTS} are safe",
                    lane.events
                ),
                (false, false) => continue,
            };
            let finding = Finding::at(
                &self.document.source,
                step.span,
                rule::STEP_FUNCTIONS_SIZE,
                what,
                "split the plan where restores need one another least, or use `redrill run`",
            );
            self.findings.push(finding.of_restore(&step.name));
        }
    }
}
