//! From the events of a run to its report: from the journal alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::run::forecast_outcome::ForecastOutcome;
use super::run::notices::overlaid;
use super::run::record_restore::{not_run, take_check};
use super::run::{
    CheckReport, CheckStatus, ObjectivesReport, RestoreReport, RunReport, RunStatus, Runner,
    Verdict,
};
use crate::backup::Endpoint;
use crate::ids::{RestoreName, RunId};
use crate::render::Target;
use crate::state::{Event, Goals, Outline, Recorded, RecordedForecast, incomplete};

/// State of a run, from its events so far. Events are folded in one by one and not kept: a large run has hundreds of
/// thousands.
#[derive(Debug, Default)]
pub struct Record {
    start: Option<Timestamp>,
    /// Time of the last event.
    last: Option<Timestamp>,
    /// By how much AWS's clock was ahead when that was last recorded.
    ahead: Option<i64>,
    targets: Vec<Target>,
    world: Option<Endpoint>,
    cleaned_up: Option<Timestamp>,
    file: Option<String>,
    /// The plan as the last runner took it up.
    outline: Arc<Outline>,
    runners: Vec<Runner>,
    /// Restores, ordered as they were first heard of.
    restores: Vec<RestoreReport>,
    /// Index of each restore in `restores`.
    by_name: HashMap<RestoreName, usize>,
    checks: Vec<CheckReport>,
    cutover: Vec<CheckReport>,
    api_calls: BTreeMap<String, u64>,
    /// Forecast of the run before it began.
    forecast: Option<Box<RecordedForecast>>,
}

impl Record {
    fn add(&mut self, name: &RestoreName) -> usize {
        let at = self.restores.len();
        self.restores.push(RestoreReport::new(name));
        self.by_name.insert(name.clone(), at);
        at
    }

    /// Takes one event in; they come in the journal's order.
    pub fn take(&mut self, recorded: &Recorded) {
        // A cleanup does not compare the clocks: those of its run are as near as is known.
        let may_be_of_cleanup = matches!(
            recorded.event,
            Event::Nested { .. }
                | Event::Deleting { .. }
                | Event::Deleted { .. }
                | Event::DeletionFailed { .. }
        );
        if recorded.aws_ahead.is_some() || !may_be_of_cleanup {
            self.ahead = recorded.aws_ahead;
        }
        if self.ahead.is_some() {
            // Jobs have the times of AWS: so has everything else, and durations are those of one clock.
            let mut by_aws = Recorded {
                at: recorded.at,
                aws_ahead: self.ahead,
                event: recorded.event.clone(),
            };
            by_aws.at = by_aws.at_aws();
            by_aws.aws_ahead = None;
            return self.take_at_aws(&by_aws);
        }
        self.take_at_aws(recorded);
    }

    fn take_at_aws(&mut self, recorded: &Recorded) {
        self.last = self.last.max(Some(recorded.at));
        if let Event::Deleted { .. } = recorded.event {
            self.cleaned_up = Some(recorded.at);
        }
        if let Some(name) = recorded.event.restore() {
            let at = match self.by_name.get(name) {
                Some(at) => *at,
                None => self.add(name),
            };
            self.restores[at].take(recorded, self.start);
            return;
        }
        match &recorded.event {
            Event::RunOpened {
                redrill,
                target,
                others,
                file,
                world,
                forecast,
                ..
            } => {
                self.start.get_or_insert(recorded.at);
                self.targets = std::iter::once(target).chain(others).cloned().collect();
                self.world.clone_from(world);
                self.file = Some(file.clone());
                self.forecast.clone_from(forecast);
                self.runners.push(runner(recorded.at, redrill));
            }
            Event::RunResumed { redrill, world, .. } => {
                if self.world.is_none() {
                    self.world.clone_from(world);
                }
                self.runners.push(runner(recorded.at, redrill));
            }
            Event::Planned { outline } => {
                if let Some(runner) = self.runners.last_mut() {
                    runner.origin = Some(outline.origin.clone());
                }
                let more = outline.restores.len().saturating_sub(self.restores.len());
                self.restores.reserve_exact(more);
                if !outline.targets.is_empty() {
                    self.targets.clone_from(&outline.targets);
                }
                self.outline = Arc::clone(outline);
            }
            Event::CallsMade { calls } => {
                for (name, count) in calls {
                    *self.api_calls.entry(name.clone()).or_default() += count;
                }
            }
            Event::CheckStarted { cutover, .. } | Event::CheckEnded { cutover, .. } => {
                let checks = if *cutover {
                    &mut self.cutover
                } else {
                    &mut self.checks
                };
                take_check(checks, recorded);
            }
            _ => {}
        }
    }
}

impl<'a> FromIterator<&'a Recorded> for Record {
    fn from_iter<I: IntoIterator<Item = &'a Recorded>>(events: I) -> Self {
        let mut record = Self::default();
        for recorded in events {
            record.take(recorded);
        }
        record
    }
}

/// The report of a run. Restores of its plan that no event names are not started.
#[must_use]
pub fn run_report(plan: &str, run_id: &RunId, mut record: Record) -> RunReport {
    let outline = Arc::unwrap_or_clone(std::mem::take(&mut record.outline));
    for outlined in &outline.restores {
        if !record.by_name.contains_key(&outlined.name) {
            record.add(&outlined.name);
        }
    }
    let Record {
        start,
        last,
        targets,
        world,
        cleaned_up,
        file,
        runners,
        mut restores,
        checks,
        cutover,
        api_calls,
        forecast,
        ..
    } = record;
    let mut origins = runners.iter().filter_map(|runner| runner.origin.as_ref());
    let is_rehearsal = origins.any(|origin| origin.rehearsal);
    let names = outline.restores.iter().enumerate();
    let places: HashMap<&RestoreName, usize> = names.map(|(at, of)| (&of.name, at)).collect();
    // Restores that were started by this run, and have since been removed from the plan, come last: they happened.
    let place = |of: &RestoreReport| places.get(&of.restore).copied().unwrap_or(usize::MAX);
    restores.sort_unstable_by(|a, b| (place(a), &a.restore).cmp(&(place(b), &b.restore)));
    let mut goals = Vec::with_capacity(restores.len());
    for (restore, outlined) in restores.iter_mut().zip(outline.restores) {
        restore.resource_type = outlined.resource_type;
        restore.needs = outlined.needs;
        if targets.len() > 1 {
            restore.target = targets.get(outlined.target).cloned().map(Box::new);
        }
        let seen = std::mem::take(&mut restore.checks);
        restore.checks = in_order(seen, &outlined.checks, &outlined.definitions);
        goals.push(outlined.objectives);
    }
    goals.resize(restores.len(), Goals::default());
    let report = RunReport {
        schema: "redrill.run/v1",
        plan: plan.to_owned(),
        run_id: run_id.to_owned(),
        notices: Vec::new(),
        description: outline.description,
        world: world.or(is_rehearsal.then_some(Endpoint::Rehearsal)),
        start,
        end: None,
        verdict: Verdict::Unfinished,
        verdict_before_cleanup: None,
        missed: Vec::new(),
        objectives: ObjectivesReport::default(),
        forecast: None,
        restores,
        checks: in_order(checks, &outline.checks, &outline.definitions),
        cutover: in_order(cutover, &outline.cutover, &[]),
        cutover_seconds: None,
        critical_path: Vec::new(),
        target: targets.first().cloned(),
        targets,
        file,
        runners,
        api_calls,
        compared: None,
        controls: None,
    };
    let report = judged(report, &goals, &outline.objectives, last);
    let mut report = overlaid(report, cleaned_up);
    report.forecast = forecast.map(|made| Box::new(ForecastOutcome::new(&made, &report)));
    report
}

/// The checks that there are, in the order of the plan, as it has them now; then those that it has lost since.
fn in_order(
    mut seen: Vec<CheckReport>,
    names: &[String],
    definitions: &[String],
) -> Vec<CheckReport> {
    let mut checks: Vec<CheckReport> = names
        .iter()
        .enumerate()
        .map(
            |(of, name)| match seen.iter().position(|check| check.name == *name) {
                Some(at) => seen.remove(at).under(definitions.get(of)),
                None => not_run(name),
            },
        )
        .collect();
    checks.extend(seen);
    checks
}

/// Everything that follows from the whole, of which something was last heard at a time.
fn judged(
    mut whole: RunReport,
    of_each: &[Goals],
    of_all: &Goals,
    last: Option<Timestamp>,
) -> RunReport {
    let report = &mut whole;
    // A job that was adopted may be older than the run: the whole is never shorter than one of its parts.
    let began = report.restores.iter().filter_map(|r| r.started_at).min();
    report.start = report.start.min(began).or(report.start);
    let since_start = |at: Option<Timestamp>| {
        let start = report.start?;
        Some(at?.duration_since(start).as_secs())
    };
    let mut missed = Vec::new();
    for (restore, goals) in report.restores.iter_mut().zip(of_each) {
        restore.status = match restore.status {
            RunStatus::Completed => match checked(&restore.checks) {
                // Checks that pass have not seen what is missing.
                RunStatus::Completed if incomplete(restore.message.as_deref()).is_some() => {
                    RunStatus::Incomplete
                }
                status => status,
            },
            status => status,
        };
        if restore.status == RunStatus::Completed {
            restore.rto_seconds = since_start(restore.over_at());
        }
        restore.objectives = ObjectivesReport::new(
            goals,
            restore.rto_seconds,
            since_start(last),
            restore.rpo_seconds,
            restore.status == RunStatus::Completed,
        );
        name_missed(
            restore.restore.as_str(),
            &restore.objectives,
            since_start(last),
            &mut missed,
        );
    }
    let all_good = report
        .restores
        .iter()
        .all(|restore| restore.status == RunStatus::Completed)
        && report
            .checks
            .iter()
            .all(|check| check.status == CheckStatus::Passed);
    let ends = |checks: &[CheckReport]| checks.iter().filter_map(|check| check.ended_at).max();
    let restored = report.restores.iter().filter_map(RestoreReport::over_at);
    let over = restored.max().max(ends(&report.checks));
    let cut_over = ends(&report.cutover);
    report.cutover_seconds = report
        .cutover
        .iter()
        .filter_map(|step| step.started_at)
        .min()
        .zip(cut_over)
        .map(|(from, to)| to.duration_since(from).as_secs());
    let end = over.max(cut_over);
    let rto = since_start(end).filter(|_| all_good);
    let rpo = report.restores.iter().filter_map(|r| r.rpo_seconds).max();
    report.objectives = ObjectivesReport::new(of_all, rto, since_start(last), rpo, all_good);
    name_missed(
        "the run",
        &report.objectives,
        since_start(last),
        &mut missed,
    );
    report.missed = missed;
    report.verdict = verdict(report, all_good);
    report.end = end.filter(|_| report.verdict != Verdict::Unfinished);
    report.critical_path = critical_path(report);
    whole
}

fn verdict(report: &RunReport, all_good: bool) -> Verdict {
    let is_open =
        |check: &CheckReport| matches!(check.status, CheckStatus::NotRun | CheckStatus::Running);
    let is_bad = |check: &CheckReport| check.status == CheckStatus::Failed;
    let restores = &report.restores;
    let nothing_bad = !restores
        .iter()
        .any(|restore| restore.status.is_bad() || !restore.second_jobs.is_empty());
    let checks_bad = report.checks.iter().any(is_bad);
    // Checks of the whole run are due once all restores are good; and a cutover that has stopped has ended.
    let checks_open = nothing_bad && report.checks.iter().any(is_open);
    let cutover_open =
        all_good && !report.cutover.iter().any(is_bad) && report.cutover.iter().any(is_open);
    if restores.is_empty()
        || restores.iter().any(|restore| restore.status.is_open())
        || checks_open
        || cutover_open
    {
        Verdict::Unfinished
    } else if !nothing_bad || checks_bad || report.cutover.iter().any(is_bad) {
        Verdict::Failed
    } else if report.missed.is_empty() {
        Verdict::Passed
    } else {
        Verdict::ObjectiveMissed
    }
}

/// Names the objectives that were missed, or cannot be met any more after so many seconds.
fn name_missed(
    what: &str,
    objectives: &ObjectivesReport,
    waited: Option<i64>,
    missed: &mut Vec<String>,
) {
    for (name, objective) in [("RTO", &objectives.rto), ("RPO", &objectives.rpo)] {
        if let Some(objective) = objective
            && objective.met == Some(false)
        {
            let wanted = crate::diagnostic::duration(objective.wanted_seconds);
            missed.push(match objective.seconds {
                Some(seconds) => {
                    let by = crate::diagnostic::duration(seconds - objective.wanted_seconds);
                    let is = crate::diagnostic::duration(seconds);
                    match name {
                        "RTO" => format!("{what}: RTO of {wanted} missed by {by}; it took {is}"),
                        _ => format!(
                            "{what}: RPO of {wanted} missed by {by}; the recovery point was {is} old"
                        ),
                    }
                }
                None => {
                    let waited = crate::diagnostic::duration(waited.unwrap_or_default());
                    format!("{what}: {name} of {wanted} cannot be met any more; {waited} have passed")
                }
            });
        }
    }
}

/// The restores that determined when the last one was over: each the latest of those that the next one waited for.
fn critical_path(report: &RunReport) -> Vec<RestoreName> {
    let restores = &report.restores;
    let names = restores.iter().map(|restore| &restore.restore);
    let index: HashMap<&RestoreName, usize> =
        names.enumerate().map(|(at, name)| (name, at)).collect();
    let over = |at: &usize| restores[*at].over_at();
    let mut path = Vec::new();
    let mut next = (0..restores.len())
        .filter(|at| over(at).is_some())
        .max_by_key(|at| over(at));
    while let Some(at) = next.filter(|_| path.len() <= restores.len()) {
        path.push(restores[at].restore.clone());
        let needs = restores[at].needs.iter().filter_map(|need| index.get(need));
        next = needs
            .copied()
            .filter(|at| over(at).is_some())
            .max_by_key(|at| over(at));
    }
    path.reverse();
    path
}

/// A restore that is back, judged by its checks.
fn checked(checks: &[CheckReport]) -> RunStatus {
    let any = |status| checks.iter().any(|check| check.status == status);
    if any(CheckStatus::Running) || any(CheckStatus::NotRun) {
        RunStatus::Checking
    } else if any(CheckStatus::Failed) {
        RunStatus::CheckFailed
    } else {
        RunStatus::Completed
    }
}

fn runner(at: Timestamp, redrill: &str) -> Runner {
    Runner {
        at,
        redrill: redrill.to_owned(),
        origin: None,
    }
}
