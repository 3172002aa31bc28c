//! From the events of a run to its report: from the journal alone.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::record_restore::{not_run, take_check};
use super::run::{
    CheckReport, CheckStatus, Objectives, RestoreReport, RunReport, RunStatus, Runner, Verdict,
};
use crate::execute::{Event, Goals, Outline, OutlinedRestore, Recorded};

/// Reads a run's events into its report. Restores of the plan that no event names are not started.
#[must_use]
pub fn run_report(plan: &str, run_id: &str, events: &[Recorded]) -> RunReport {
    let outline = events
        .iter()
        .rev()
        .find_map(|recorded| match &recorded.event {
            Event::Planned { outline } => Some(&**outline),
            _ => None,
        });
    let mut record = Record::new(plan, run_id, outline);
    for recorded in events {
        record.take(recorded);
    }
    record.judged(
        &outline
            .map(|outline| outline.objectives)
            .unwrap_or_default(),
    )
}

/// A report that is being read.
struct Record {
    report: RunReport,
    /// Where each restore stands in it.
    index: HashMap<String, usize>,
    goals: Vec<Goals>,
}

impl Record {
    fn new(plan: &str, run_id: &str, outline: Option<&Outline>) -> Self {
        let empty = Outline::default();
        let outline = outline.unwrap_or(&empty);
        let not_run = |names: &[String]| names.iter().map(|name| not_run(name)).collect();
        let report = RunReport {
            schema: "redrill.run/v1",
            plan: plan.to_owned(),
            run_id: run_id.to_owned(),
            description: outline.description.clone(),
            start: None,
            end: None,
            verdict: Verdict::Unfinished,
            missed: Vec::new(),
            objectives: Objectives::default(),
            restores: Vec::new(),
            checks: not_run(&outline.checks),
            cutover: not_run(&outline.cutover),
            cutover_seconds: None,
            critical_path: Vec::new(),
            target: None,
            file: None,
            runners: Vec::new(),
            api_calls: BTreeMap::new(),
            compared: None,
        };
        let mut record = Self {
            report,
            index: HashMap::new(),
            goals: Vec::new(),
        };
        for restore in &outline.restores {
            record.add(restore);
        }
        record
    }

    fn add(&mut self, restore: &OutlinedRestore) -> usize {
        let at = self.report.restores.len();
        self.index.insert(restore.name.clone(), at);
        self.goals.push(restore.objectives);
        self.report.restores.push(RestoreReport {
            restore: restore.name.clone(),
            resource_type: restore.resource_type.clone(),
            needs: restore.needs.clone(),
            status: RunStatus::NotStarted,
            job_id: None,
            token: None,
            request_sha256: None,
            recovery_point_arn: None,
            attempts: 0,
            started_at: None,
            ended_at: None,
            created_resource_arn: None,
            message: None,
            checks: restore.checks.iter().map(|name| not_run(name)).collect(),
            validation: None,
            cleanup: None,
            objectives: Objectives::default(),
            rto_seconds: None,
            rpo_seconds: None,
        });
        at
    }

    fn take(&mut self, recorded: &Recorded) {
        if let Some(name) = recorded.event.restore() {
            let at = match self.index.get(name) {
                Some(at) => *at,
                // Started by this run, and since removed from the plan: it happened.
                None => self.add(&OutlinedRestore {
                    name: name.to_owned(),
                    ..OutlinedRestore::default()
                }),
            };
            let start = self.report.start;
            self.report.restores[at].take(recorded, start);
            return;
        }
        let report = &mut self.report;
        match &recorded.event {
            Event::RunOpened {
                redrill,
                target,
                file,
                ..
            } => {
                report.start = Some(recorded.at);
                report.target = Some(target.clone());
                report.file = Some(file.clone());
                report.runners.push(runner(recorded.at, redrill));
            }
            Event::RunResumed { redrill } => report.runners.push(runner(recorded.at, redrill)),
            Event::Planned { outline } => {
                if let Some(runner) = report.runners.last_mut() {
                    runner.origin = Some(outline.origin.clone());
                }
            }
            Event::Called { calls } => {
                for (name, count) in calls {
                    *report.api_calls.entry(name.clone()).or_default() += count;
                }
            }
            Event::CheckStarted { cutover, .. } | Event::CheckEnded { cutover, .. } => {
                let checks = if *cutover {
                    &mut report.cutover
                } else {
                    &mut report.checks
                };
                take_check(checks, recorded);
            }
            _ => {}
        }
    }

    /// Everything that follows from the whole.
    fn judged(mut self, whole: &Goals) -> RunReport {
        let report = &mut self.report;
        let since_start = |at: Option<Timestamp>| {
            let start = report.start?;
            Some(at?.duration_since(start).as_secs())
        };
        let mut missed = Vec::new();
        for (restore, goals) in report.restores.iter_mut().zip(&self.goals) {
            restore.status = match restore.status {
                RunStatus::Completed => checked(&restore.checks),
                status => status,
            };
            if restore.status == RunStatus::Completed {
                restore.rto_seconds = since_start(restore.over_at());
            }
            restore.objectives = Objectives::new(
                goals,
                restore.rto_seconds,
                since_start(restore.over_at()),
                restore.rpo_seconds,
            );
            name_missed(&restore.restore, &restore.objectives, &mut missed);
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
        let last = restored.max().max(ends(&report.checks));
        let cut_over = ends(&report.cutover);
        report.cutover_seconds = report
            .cutover
            .iter()
            .filter_map(|step| step.started_at)
            .min()
            .zip(cut_over)
            .map(|(from, to)| to.duration_since(from).as_secs());
        let end = last.max(cut_over);
        let rto = since_start(end).filter(|_| all_good);
        let rpo = report.restores.iter().filter_map(|r| r.rpo_seconds).max();
        report.objectives = Objectives::new(whole, rto, since_start(end), rpo);
        name_missed("the run", &report.objectives, &mut missed);
        report.missed = missed;
        report.verdict = verdict(report, all_good);
        report.end = end.filter(|_| report.verdict != Verdict::Unfinished);
        report.critical_path = critical_path(report, &self.index);
        self.report
    }
}

fn verdict(report: &RunReport, all_good: bool) -> Verdict {
    let is_open =
        |check: &CheckReport| matches!(check.status, CheckStatus::NotRun | CheckStatus::Running);
    let is_bad = |check: &CheckReport| check.status == CheckStatus::Failed;
    let restores = &report.restores;
    let nothing_bad = !restores.iter().any(|restore| restore.status.is_bad());
    let checks_bad = report.checks.iter().any(is_bad);
    // What belongs to the whole is due once all restores are good; and a cutover that has stopped has ended.
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

fn name_missed(what: &str, objectives: &Objectives, missed: &mut Vec<String>) {
    for (name, objective) in [("RTO", &objectives.rto), ("RPO", &objectives.rpo)] {
        if let Some(objective) = objective
            && objective.met == Some(false)
        {
            let wanted = super::duration(objective.wanted_seconds);
            missed.push(match objective.seconds {
                Some(seconds) => format!(
                    "{what}: {name} of {wanted} missed by {}: it took {}",
                    super::duration(seconds - objective.wanted_seconds),
                    super::duration(seconds),
                ),
                None => {
                    format!("{what}: {name} of {wanted} missed: it was over without being reached")
                }
            });
        }
    }
}

/// The restores that determined when the last one was over: each the latest of those that the next one waited for.
fn critical_path(report: &RunReport, index: &HashMap<String, usize>) -> Vec<String> {
    let restores = &report.restores;
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
