//! Looks up each kind of evidence in the record of a run.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::ids::{Arn, RestoreName};
use crate::proof::{Assessed, Doubt, ProofResult, looks_at_nothing};
use crate::report::{
    AnswerState, CheckReport, CheckStatus, Objective, ObjectivesReport, RestoreReport, RunReport,
    RunStatus, minute,
};
use crate::state::{Event, Recorded};

/// A kind of evidence that answers of `controls.yaml` rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EvidenceKey {
    Restored,
    Proven,
    Checks,
    PlanChecks,
    Rto,
    Rpo,
    PlanUnderVersionControl,
    SavedPlan,
    FailuresRecorded,
    Retries,
    AnotherAccount,
    AnotherRegion,
    NewResource,
    Walls,
    Cutover,
    Caller,
    AwsIds,
    Cleanup,
    Signed,
    Ledger,
    Schedule,
    Coverage,
}

impl EvidenceKey {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Self; 22] = [
        Self::Restored,
        Self::Proven,
        Self::Checks,
        Self::PlanChecks,
        Self::Rto,
        Self::Rpo,
        Self::PlanUnderVersionControl,
        Self::SavedPlan,
        Self::FailuresRecorded,
        Self::Retries,
        Self::AnotherAccount,
        Self::AnotherRegion,
        Self::NewResource,
        Self::Walls,
        Self::Cutover,
        Self::Caller,
        Self::AwsIds,
        Self::Cleanup,
        Self::Signed,
        Self::Ledger,
        Self::Schedule,
        Self::Coverage,
    ];

    /// Returns its written form.
    pub(super) fn id(self) -> String {
        // A unit variant: its name, as serde writes it.
        let name = serde_json::to_value(self).unwrap_or_default();
        name.as_str().unwrap_or_default().to_owned()
    }
}

/// Facts of a run's journal that its report lacks.
#[derive(Default)]
struct JournalFacts<'a> {
    /// Digest of the saved plan that was carried out.
    saved_plan: Option<&'a str>,
    /// ARNs of what was backed up, by AWS.
    sources: HashMap<&'a RestoreName, &'a str>,
    /// Number of answers whose request ids are known.
    request_ids: usize,
    /// True if the plan protects something.
    has_walls: bool,
}

/// The record of a run.
pub(super) struct RunRecord<'a> {
    report: &'a RunReport,
    assessed: &'a [Assessed],
    journal: JournalFacts<'a>,
}

/// State of a kind of evidence, and the words for it.
type Found = (AnswerState, String);

impl<'a> RunRecord<'a> {
    pub(super) fn of(
        report: &'a RunReport,
        events: &'a [Recorded],
        assessed: &'a [Assessed],
    ) -> Self {
        let mut journal = JournalFacts::default();
        for recorded in events {
            match &recorded.event {
                Event::RunOpened { saved_plan, .. } | Event::RunResumed { saved_plan, .. } => {
                    journal.saved_plan = saved_plan.as_deref().or(journal.saved_plan);
                }
                Event::Planned { outline } => journal.has_walls |= !outline.protect.is_empty(),
                Event::Accepted { request_id, .. } | Event::Refused { request_id, .. } => {
                    journal.request_ids += usize::from(request_id.is_some());
                }
                Event::Completed {
                    restore,
                    source_resource_arn: Some(arn),
                    ..
                } => {
                    journal.sources.insert(restore, arn);
                }
                _ => {}
            }
        }
        Self {
            report,
            assessed,
            journal,
        }
    }

    /// Looks one kind of evidence up.
    pub(super) fn looked_up(&self, key: EvidenceKey) -> Found {
        match key {
            EvidenceKey::Restored => self.restored(),
            EvidenceKey::Proven => self.proven(),
            EvidenceKey::Checks => checked(self.report.restores.iter().flat_map(|of| &of.checks)),
            EvidenceKey::PlanChecks => checked(&self.report.checks),
            EvidenceKey::Rto => self.objectives("recovery time", |of| of.rto.as_deref()),
            EvidenceKey::Rpo => self.objectives("recovery point", |of| of.rpo.as_deref()),
            EvidenceKey::PlanUnderVersionControl => self.commits(),
            EvidenceKey::SavedPlan => match self.journal.saved_plan {
                Some(digest) => recorded(format!("the saved plan {digest} was carried out")),
                None => missing("the run did not carry out a saved plan"),
            },
            EvidenceKey::FailuresRecorded => recorded(self.failures()),
            EvidenceKey::Retries => self.retries(),
            EvidenceKey::AnotherAccount => self.elsewhere(
                "account",
                |arn| arn.account,
                |target| target.account.as_str(),
            ),
            EvidenceKey::AnotherRegion => {
                self.elsewhere("Region", |arn| arn.region, |target| target.region.as_str())
            }
            EvidenceKey::NewResource => self.new_resources(),
            EvidenceKey::Walls => match self.journal.has_walls {
                true => recorded("the plan protects resources from the run".to_owned()),
                false => unknown(
                    "the record does not keep what the plan allows: read `allow` in the plan",
                ),
            },
            EvidenceKey::Cutover => self.cutover(),
            EvidenceKey::Caller => self.callers(),
            EvidenceKey::AwsIds => self.aws_ids(),
            EvidenceKey::Cleanup => self.cleanup(),
            EvidenceKey::Signed
            | EvidenceKey::Ledger
            | EvidenceKey::Schedule
            | EvidenceKey::Coverage => (AnswerState::Elsewhere, String::new()),
        }
    }

    /// Restores whose jobs completed, with nothing missing.
    pub(super) fn completed(&self) -> Vec<&'a RestoreReport> {
        let restores = self.report.restores.iter();
        restores.filter(|restore| is_restored(restore)).collect()
    }

    fn restored(&self) -> Found {
        let (done, all) = (self.completed(), self.report.restores.len());
        let when = match (self.report.start, self.report.end) {
            (Some(start), Some(end)) => format!(", from {} to {}", minute(start), minute(end)),
            (Some(start), None) => format!(", since {}; the run has not ended", minute(start)),
            (None, _) => String::new(),
        };
        let adopted = done.iter().filter(|restore| restore.adopted).count();
        let adopted = match adopted {
            0 => String::new(),
            count => format!("; {count} by a job that this run did not start"),
        };
        part(
            done.len(),
            all,
            format!(
                "{} of {all} restores completed at AWS{when}{adopted}",
                done.len()
            ),
        )
    }

    fn proven(&self) -> Found {
        let is_proven = |one: &&Assessed| one.result == Some(ProofResult::Proven);
        let (count, all) = (
            self.assessed.iter().filter(is_proven).count(),
            self.assessed.len(),
        );
        let others: Vec<String> = (self.assessed.iter())
            .filter(|one| !is_proven(one))
            .map(|one| {
                let why = one.doubt.as_ref().map(Doubt::words);
                format!("{}: {}", one.restore, why.unwrap_or_default())
            })
            .collect();
        let mut why = String::new();
        for other in others.iter().take(SHOWN) {
            let _ = write!(why, "; {other}");
        }
        if others.len() > SHOWN {
            let _ = write!(why, "; and {} more", others.len() - SHOWN);
        }
        part(
            count,
            all,
            format!("{count} of {all} restores are proven, as `redrill prove` counts{why}"),
        )
    }

    /// Objectives of a kind, of the run and of its restores.
    fn objectives(
        &self,
        name: &str,
        of: impl Fn(&'a ObjectivesReport) -> Option<&'a Objective>,
    ) -> Found {
        let run = of(&self.report.objectives).into_iter();
        let restores = self.report.restores.iter();
        let all: Vec<&Objective> = run
            .chain(restores.filter_map(|restore| of(&restore.objectives)))
            .collect();
        let count = |met| all.iter().filter(|one| one.met == Some(met)).count();
        let (met, missed, all) = (count(true), count(false), all.len());
        if all == 0 {
            return missing(&format!("the plan has no {name} objective"));
        }
        let open = match all - met - missed {
            0 => String::new(),
            open => format!(", {open} not reached"),
        };
        let words = format!("{met} of {all} {name} objectives were met, {missed} missed{open}");
        part(met + missed, all, words)
    }

    fn commits(&self) -> Found {
        let origins = self
            .report
            .runners
            .iter()
            .map(|runner| runner.origin.as_ref());
        let commits: Vec<Option<&str>> = origins
            .map(|origin| origin.and_then(|origin| origin.commit.as_deref()))
            .collect();
        let is_clean = |commit: &&str| !commit.ends_with("-dirty");
        let clean: Vec<&str> = commits.iter().flatten().copied().filter(is_clean).collect();
        let Some(last) = commits.iter().flatten().next_back() else {
            return missing(
                "the plan was not in a git repository, or the record does not name the commit",
            );
        };
        let words = match clean.len() == commits.len() {
            true => format!("the plan was at commit {last}"),
            false => format!(
                "the plan was at commit {last}: somebody ran it with changes that were not committed"
            ),
        };
        part(clean.len(), commits.len(), words)
    }

    /// Counts failures and missed objectives, in a sentence.
    pub(super) fn failures(&self) -> String {
        let bad = |restore: &&RestoreReport| restore.outcome().is_bad();
        let restores = self.report.restores.iter().filter(bad).count();
        let checks = self.report.all_checks().map(|(_, check)| check);
        let checks = checks
            .filter(|check| check.status == CheckStatus::Failed)
            .count();
        let missed = self.report.missed.len();
        match restores + checks + missed {
            0 => "nothing failed and no objective was missed".to_owned(),
            _ => {
                let parts = [
                    (
                        restores,
                        "restore is not back or not good",
                        "restores are not back or not good",
                    ),
                    (checks, "check failed", "checks failed"),
                    (missed, "objective was missed", "objectives were missed"),
                ];
                let parts = parts.iter().filter(|(count, ..)| *count > 0);
                let parts = parts.map(|(count, one, many)| match count {
                    1 => format!("1 {one}"),
                    count => format!("{count} {many}"),
                });
                parts.collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn retries(&self) -> Found {
        let restores = self
            .report
            .restores
            .iter()
            .filter(|of| of.attempts > 1)
            .count();
        let checks = self.report.all_checks().map(|(_, check)| check);
        let checks = checks.filter(|check| check.tries > 1).count();
        match restores + checks {
            0 => missing("nothing was tried again"),
            _ => recorded(format!(
                "{restores} restores and {checks} checks were tried again"
            )),
        }
    }

    /// Compares the account or Region of each source with that of its target.
    fn elsewhere(
        &self,
        what: &str,
        of_source: impl Fn(&Arn<'a>) -> &'a str,
        of_target: impl Fn(&crate::render::Target) -> &str,
    ) -> Found {
        let completed = self.completed();
        let (mut other, mut unknown_of) = (0, 0);
        for restore in &completed {
            let source = self.journal.sources.get(&restore.restore);
            let source = source.and_then(|arn| Arn::parse(arn));
            let source = source
                .map(|arn| of_source(&arn))
                .filter(|part| !part.is_empty());
            let target = restore.target.as_deref().or(self.report.target.as_ref());
            match source.zip(target.map(&of_target)) {
                Some((source, target)) => other += usize::from(source != target),
                None => unknown_of += 1,
            }
        }
        let all = completed.len();
        if unknown_of == all {
            return unknown(&format!(
                "the record does not say in which {what} the sources are"
            ));
        }
        let doubt = match unknown_of {
            0 => String::new(),
            count => format!("; of {count} the source's {what} is not known"),
        };
        part(
            other,
            all,
            format!(
                "{other} of {all} were restored into another {what} than that of the source{doubt}"
            ),
        )
    }

    fn new_resources(&self) -> Found {
        let completed = self.completed();
        let is_new =
            |restore: &&&RestoreReport| !restore.into_existing && restore.mismatch.is_none();
        let (new, all) = (completed.iter().filter(is_new).count(), completed.len());
        part(
            new,
            all,
            format!("{new} of {all} were restored as new resources"),
        )
    }

    fn cutover(&self) -> Found {
        let steps = &self.report.cutover;
        let passed = steps
            .iter()
            .filter(|step| step.status == CheckStatus::Passed)
            .count();
        match steps.len() {
            0 => missing("no cutover was asked for"),
            all => part(
                passed,
                all,
                format!("{passed} of {all} steps of the cutover passed"),
            ),
        }
    }

    fn callers(&self) -> Found {
        let runners = &self.report.runners;
        let origins = runners.iter().filter_map(|runner| runner.origin.as_ref());
        let named = origins.filter(|origin| !origin.callers.is_empty()).count();
        let callers: Vec<&str> = self.report.callers().into_iter().collect();
        match named {
            0 => missing("the record does not name the caller"),
            _ => part(
                named,
                runners.len(),
                format!("called by {}", callers.join(", ")),
            ),
        }
    }

    fn aws_ids(&self) -> Found {
        let completed = self.completed();
        let named = completed
            .iter()
            .filter(|restore| restore.job_id.is_some())
            .count();
        let words = format!(
            "{named} job ids and {} request ids of AWS are recorded",
            self.journal.request_ids
        );
        part(named, completed.len(), words)
    }

    fn cleanup(&self) -> Found {
        let restores = self.report.restores.iter();
        let asked = restores
            .clone()
            .filter(|restore| restore.cleanup.is_some())
            .count();
        let left = restores.flat_map(RestoreReport::left).count();
        match asked {
            0 => missing("nothing that the run made was deleted by then"),
            _ => recorded(format!(
                "the deletion of {asked} resources was asked for, and {left} are left"
            )),
        }
    }
}

/// Returns true if a check can have looked at what came back; one that was not run may.
pub(super) fn can_have_looked(check: &CheckReport) -> bool {
    check.run.is_empty() || !looks_at_nothing(&check.run)
}

/// Counts the results of checks, without those that cannot have looked at the restored data.
fn checked<'c>(checks: impl IntoIterator<Item = &'c CheckReport>) -> Found {
    let (looking, others): (Vec<&CheckReport>, Vec<&CheckReport>) =
        checks.into_iter().partition(|check| can_have_looked(check));
    let count = |status| {
        looking
            .iter()
            .filter(|check| check.status == status)
            .count()
    };
    let (passed, failed) = (count(CheckStatus::Passed), count(CheckStatus::Failed));
    let others = match others.len() {
        0 => String::new(),
        1 => "; 1 more looks at nothing".to_owned(),
        others => format!("; {others} more look at nothing"),
    };
    match (looking.len(), passed + failed) {
        (0, _) if others.is_empty() => missing("the plan has none"),
        (0, _) => missing("the plan has only checks that look at nothing"),
        (all, 0) => missing(&format!("none of {all} has ended{others}")),
        (all, ended) => part(
            ended,
            all,
            format!("{passed} of {all} checks passed, {failed} failed{others}"),
        ),
    }
}

/// Restores that are named before the rest is counted.
const SHOWN: usize = 5;

/// Returns true if the job of a restore completed, with nothing missing.
pub(super) fn is_restored(restore: &RestoreReport) -> bool {
    matches!(
        restore.outcome(),
        RunStatus::Completed | RunStatus::Checking | RunStatus::CheckFailed
    )
}

fn recorded(words: String) -> Found {
    (AnswerState::Recorded, words)
}

fn missing(words: &str) -> Found {
    (AnswerState::Missing, words.to_owned())
}

fn unknown(words: &str) -> Found {
    (AnswerState::Unknown, words.to_owned())
}

/// Rates a count: recorded if it is all, partly if it is some, missing if it is none.
fn part(count: usize, all: usize, words: String) -> Found {
    let state = match count {
        0 => AnswerState::Missing,
        count if count == all => AnswerState::Recorded,
        _ => AnswerState::Partly,
    };
    (state, words)
}
